// The way back from an id to its entry, which the tables are not made for.

#ifndef THIMBLE_TEXT_VOCABULARY_H_
#define THIMBLE_TEXT_VOCABULARY_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "text/tables.h"

namespace thimble::text {

// The entry of each id, empty where there is none. The tables are checked ones. Takes 8 bytes for each node meanwhile.
std::vector<std::string> EntriesOf(const Tables& tables, std::span<const std::int32_t> ids);

// Whether it is one of the ids that are put around a text.
bool IsSpecial(const Tables& tables, std::int32_t id);

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_VOCABULARY_H_
