// The tokens of a text as a list, with all that may be asked of them; for embedding there is Tokenizer::Encode.

#ifndef THIMBLE_TEXT_TOKEN_LIST_H_
#define THIMBLE_TEXT_TOKEN_LIST_H_

#include <cstddef>
#include <optional>
#include <string_view>

#include "text/tokenizer.h"
#include "thimble/model.h"

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

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_TOKEN_LIST_H_
