// Which texts there were, in files, so that memory does not depend on their number.

#ifndef THIMBLE_BULK_SEEN_H_
#define THIMBLE_BULK_SEEN_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "bulk/part_file.h"
#include "thimble/status.h"

namespace thimble::bulk {

using TextKey = std::array<std::uint64_t, 2>;  // The first half of its SHA-256.
// `cut` tells a text that was cut from one that ends there.
TextKey KeyOf(std::string_view text, bool cut);

// A distinct text in OUTPUT.seen.part, and what was written of it.
struct SeenRow {
  TextKey key = {};
  std::uint64_t offset = 0;  // In the output, of the bytes that equal texts have alike.
  std::uint32_t bytes = 0;   // How many.
  std::uint32_t truncated : 1 = 0, tokens : 31 = 0;
};
static_assert(sizeof(SeenRow) == 32);

// The number of each distinct text, which is the order of their first appearance. A hash table in a temporary file
// without a name. Move-only; Thread-compatible.
class SeenIndex {
 public:
  // In the folder of `path`.
  static Result<SeenIndex> Create(const std::string& path);
  // The number of an equal text before, or unset; the text then gets the next one.
  Result<std::optional<std::uint64_t>> FindOrAdd(const TextKey& key);
  std::uint64_t size() const { return size_; }

 private:
  struct Slot {
    TextKey key;
    std::uint64_t number = 0;  // Plus 1; 0 is free.
  };
  SeenIndex(std::string path, int file, std::uint64_t slots) : path_(std::move(path)), file_(file), slots_(slots) {}
  static Result<SeenIndex> Create(const std::string& path, std::uint64_t slots);
  // The slot that has `key`, or the free one for it.
  Result<std::uint64_t> Place(const TextKey& key, Slot& slot) const;
  Status Grow();

  std::string path_;
  base::Descriptor file_;
  std::uint64_t slots_ = 0;  // A power of two, at least twice size_.
  std::uint64_t size_ = 0;
};

}  // namespace thimble::bulk

#endif  // THIMBLE_BULK_SEEN_H_
