// The tokens of a text as a list, with all that may be asked of them, for embedding there is Tokenizer::Encode; and
// what the ids of a tokenizer stand for.

#ifndef THIMBLE_TEXT_TOKEN_LIST_H_
#define THIMBLE_TEXT_TOKEN_LIST_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"
#include "thimble/model.h"
#include "thimble/vocabulary.h"

namespace thimble::text {

struct ListOptions {
  // Most tokens in all, more than the special ones; no limit for a pair.
  std::size_t max_tokens = 0;
  Cut cut = Cut::kText;
  bool special = true;
  bool offsets = false;
  std::optional<std::string_view> pair = {};
};

// Memory grows with the text, up to the limit, but to the whole text where the tokenizer keeps the last tokens.
Tokens ListTokens(const Tokenizer& tokenizer, std::string_view prompt, std::string_view text,
                  const ListOptions& options);

// The entry of each id, empty where there is none.
std::vector<std::string> EntriesOf(const Tokenizer& tokenizer, std::span<const std::int32_t> ids);

SpecialIds SpecialIdsOf(const Tokenizer& tokenizer);

// Whether it is one of the ids that are put around a text.
bool IsSpecial(const Tokenizer& tokenizer, std::int32_t id);

// Whether "[CLS]" is all that is put before a text, and "[SEP]" behind it.
bool HasBertTemplate(const Tokenizer& tokenizer);

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_TOKEN_LIST_H_
