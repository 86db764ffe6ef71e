// Packs a vocabulary into the trie of text/tables.h.

#ifndef THIMBLE_CONVERT_TOKENIZER_TRIE_H_
#define THIMBLE_CONVERT_TOKENIZER_TRIE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "convert/table_store.h"
#include "text/tables.h"

namespace thimble::convert {

// `pieces` are distinct, not empty, in the order of their bytes, each with its id of at most 24 bits.
text::TrieTables BuildTrie(const std::vector<std::pair<std::string, std::uint32_t>>& pieces, TableStore& store);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_TRIE_H_
