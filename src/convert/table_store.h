// The arrays of a compiled tokenizer, and its trie.

#ifndef THIMBLE_CONVERT_TABLE_STORE_H_
#define THIMBLE_CONVERT_TABLE_STORE_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
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

// Numbers equal blocks of kNormalizerBlock `values` alike: appends each new one to `blocks` and its number to
// `numbers`.
template <typename T>
void ShareBlocks(std::span<const T> values, std::vector<T>& blocks, std::vector<std::uint16_t>& numbers) {
  std::map<std::vector<T>, std::uint16_t> known;
  for (std::size_t begin = 0; begin < values.size(); begin += text::kNormalizerBlock) {
    std::vector<T> block(values.begin() + static_cast<std::ptrdiff_t>(begin),
                         values.begin() + static_cast<std::ptrdiff_t>(begin + text::kNormalizerBlock));
    auto [it, is_new] = known.try_emplace(block, static_cast<std::uint16_t>(known.size()));
    if (is_new) blocks.insert(blocks.end(), block.begin(), block.end());
    numbers.push_back(it->second);
  }
}

// Packs a vocabulary into the trie of text/tables.h. `pieces` are distinct, not empty, in the order of their bytes,
// each with its id of at most 24 bits.
text::TrieTables BuildTrie(const std::vector<std::pair<std::string, std::uint32_t>>& pieces, TableStore& store);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TABLE_STORE_H_
