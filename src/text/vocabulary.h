// What the ids of a tokenizer stand for.

#ifndef THIMBLE_TEXT_VOCABULARY_H_
#define THIMBLE_TEXT_VOCABULARY_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "text/tokenizer.h"
#include "thimble/vocabulary.h"

namespace thimble::text {

// The entry of each id, empty where there is none.
std::vector<std::string> EntriesOf(const Tokenizer& tokenizer, std::span<const std::int32_t> ids);

SpecialIds SpecialIdsOf(const Tokenizer& tokenizer);

// Whether it is one of the ids that are put around a text.
bool IsSpecial(const Tokenizer& tokenizer, std::int32_t id);

// Whether "[CLS]" is all that is put before a text, and "[SEP]" behind it.
bool HasBertTemplate(const Tokenizer& tokenizer);

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_VOCABULARY_H_
