// The way back from an id to its entry, which the tables are not made for.

#ifndef THIMBLE_TEXT_VOCABULARY_H_
#define THIMBLE_TEXT_VOCABULARY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tables.h"
#include "thimble/vocabulary.h"

namespace thimble::text {

// The entry of each id, empty where there is none. The tables are checked ones. Takes 8 bytes for each node meanwhile.
std::vector<std::string> EntriesOf(const Tables& tables, std::span<const std::int32_t> ids);

// The id of an entry, of an added token first; none where there is no such entry.
std::optional<std::int32_t> IdOf(const Tables& tables, std::string_view entry);

SpecialIds SpecialIdsOf(const Tables& tables);

// Whether it is one of the ids that are put around a text.
bool IsSpecial(const Tables& tables, std::int32_t id);

// Whether "[CLS]" is all that is put before a text, and "[SEP]" behind it.
bool HasBertTemplate(const Tables& tables);

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_VOCABULARY_H_
