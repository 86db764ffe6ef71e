// The arrays of a compiled tokenizer, and its trie.

#ifndef THIMBLE_CONVERT_TABLE_STORE_H_
#define THIMBLE_CONVERT_TABLE_STORE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/checked.h"
#include "text/tables.h"

namespace thimble::convert {

class TableStore {
 public:
  // Keeps `array`, filled up with `padding` to a positive multiple of 64 bytes, as tensors of model files are. The view
  // is valid while the store lives, wherever that is moved.
  template <typename T>
  text::TableSpan<T> Keep(std::vector<T> array, T padding = 0) {
    constexpr std::uint64_t kPadBytes = 64;
    array.resize(std::max(base::RoundUp(array.size() * sizeof(T), kPadBytes), kPadBytes) / sizeof(T), padding);
    auto kept = std::make_shared<const std::vector<T>>(std::move(array));
    arrays_.push_back(kept);
    return *kept;
  }

 private:
  std::vector<std::shared_ptr<const void>> arrays_;
};

// Packs a vocabulary into the trie of text/tables.h. `pieces` are distinct, not empty, in the order of their bytes,
// each with its id of at most 24 bits.
text::TrieTables BuildTrie(const std::vector<std::pair<std::string, std::uint32_t>>& pieces, TableStore& store);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TABLE_STORE_H_
