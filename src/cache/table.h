// The table of an exact cache: records in a file, without locks. docs/cache.md describes the bytes.

#ifndef THIMBLE_CACHE_TABLE_H_
#define THIMBLE_CACHE_TABLE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/shared_file.h"
#include "thimble/exact_cache.h"
#include "thimble/status.h"

namespace thimble::cache {

// A SHA-256 of all that decides the vector.
using Key = std::array<std::byte, 32>;

// Thread-safe, between processes too. What two of them write to one place at the same time, or one does not write to
// the end, has no valid checksum and is not there. Get and Put allocate nothing.
class Table {
 public:
  // As ExactCache::Open.
  static Result<std::unique_ptr<Table>> Open(const std::string& path, std::uint64_t max_bytes);
  Table(base::SharedFile file, std::uint64_t max_bytes) : file_(std::move(file)), max_bytes_(max_bytes) {}

  // Whether the vector of this key is there; `vector` is then it, and otherwise spoilt. The length is the key's.
  bool Get(const Key& key, std::span<float> vector);
  // Stores it if that is possible.
  void Put(const Key& key, std::span<const float> vector);

  ExactCacheStats stats() const { return {.hits = hits_, .misses = misses_, .writes = writes_}; }
  std::uint64_t max_bytes() const { return max_bytes_; }

 private:
  // Where the first of the places for a key and vectors of a length is, and bytes from one to the next.
  struct Set {
    std::uint64_t begin;
    std::uint64_t slot;
  };
  std::optional<Set> SetOf(const Key& key, std::size_t dimensions) const;
  // The place that a new record takes.
  std::uint64_t ChoosePlace(const Set& set, const Key& key) const;

  const base::SharedFile file_;
  const std::uint64_t max_bytes_;
  std::atomic<std::uint64_t> hits_ = 0, misses_ = 0, writes_ = 0;
};

}  // namespace thimble::cache

#endif  // THIMBLE_CACHE_TABLE_H_
