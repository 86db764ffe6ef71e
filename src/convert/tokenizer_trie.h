// Packs a vocabulary into the trie of text/tables.h.

#ifndef THIMBLE_CONVERT_TOKENIZER_TRIE_H_
#define THIMBLE_CONVERT_TOKENIZER_TRIE_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "text/tables.h"

namespace thimble::convert {

// Fills the arrays trie_* and the numbers `nodes` and `wide_ids`. `pieces` are distinct, not empty, in the order of
// their bytes, each with its id of at most 24 bits.
void BuildTrie(const std::vector<std::pair<std::string, std::uint32_t>>& pieces, text::OwnedTables& tables);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_TRIE_H_
