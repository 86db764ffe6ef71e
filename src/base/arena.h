// Scratch memory: one anonymous mapping, cut into buffers once.
//
//   Arena measure;                       // Counts only.
//   Buffers::Take(measure);
//   auto memory = Mapping::Create(measure.used());
//   Arena arena(memory->bytes());
//   buffers = Buffers::Take(arena);      // The same cuts.

#ifndef THIMBLE_BASE_ARENA_H_
#define THIMBLE_BASE_ARENA_H_

#include <cstddef>
#include <span>
#include <utility>

#include "base/checked.h"
#include "thimble/status.h"

namespace thimble::base {

// Zeroed pages of this process, taken from the system when first touched. Move-only.
class Mapping {
 public:
  // kOutOfMemory when the system refuses.
  static Result<Mapping> Create(std::size_t size);

  Mapping() = default;
  Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Mapping();

  std::span<std::byte> bytes() const { return bytes_; }
  // Gives the pages back to the system; they read as zeros and are taken again when next touched.
  void Release();

 private:
  std::span<std::byte> bytes_;
};

// Hands out consecutive buffers, each 64-byte aligned. Without memory behind it, it only counts. Thread-compatible.
class Arena {
 public:
  Arena() = default;
  explicit Arena(std::span<std::byte> memory) : memory_(memory) {}

  // A buffer of `count` elements; nullptr while only counting.
  template <typename T>
  T* Take(std::size_t count) {
    std::size_t begin = used_;
    used_ += RoundUp(count * sizeof(T), 64) + kStagger;
    return memory_.empty() ? nullptr : reinterpret_cast<T*>(memory_.data() + begin);
  }

  std::size_t used() const { return used_; }
  // Continues at an earlier used(), so that buffers with separate lifetimes share memory.
  void Rewind(std::size_t used) { used_ = used; }

 private:
  // Buffers that all start at a page boundary fight for the same cache sets; five lines apart they do not.
  static constexpr std::size_t kStagger = 5 * 64;
  std::span<std::byte> memory_;
  std::size_t used_ = 0;
};

}  // namespace thimble::base

#endif  // THIMBLE_BASE_ARENA_H_
