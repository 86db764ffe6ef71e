// A file of vectors that were computed before, so that a text is embedded once.
//
//   auto cache = thimble::ExactCache::Open("vectors.cache");
//   if (!cache.ok()) return cache.status();
//   auto embedder = thimble::Embedder::Create(*model, {.cache = *cache});
//   auto pool = thimble::ModelPool::Create({.embedder = {.cache = *cache}});
//
// A vector from the file has the bits that computing it gives, on every machine. docs/cache.md has the details.

#ifndef THIMBLE_EXACT_CACHE_H_
#define THIMBLE_EXACT_CACHE_H_

#include <cstdint>
#include <memory>
#include <string>

#include "thimble/export.h"
#include "thimble/status.h"

namespace thimble::cache {
class Table;
}

namespace thimble::inline v0_1 {

// Of this process since the file was opened.
struct ExactCacheStats {
  std::uint64_t hits = 0;    // Vectors that were in the file.
  std::uint64_t misses = 0;  // Vectors that had to be computed,
  std::uint64_t writes = 0;  // and how many of them are in the file now: fewer if it is read-only or the disk is full.
};

// Thread-safe. Any number of embedders, pools, models, processes and children of a fork() may use one file at the same
// time. A process that is killed while it writes loses that vector at most.
class THIMBLE_API ExactCache {
 public:
  static constexpr std::uint64_t kDefaultBytes = 256 << 20;
  static constexpr std::uint64_t kLeastBytes = 1 << 20;

  // Opens the file at `path`, or makes it, readable by its owner alone. It never has more than `max_bytes`, which are
  // decided when it is made (0 means kDefaultBytes), and takes them from the disk as vectors come; then the vectors
  // that were not used for longest make room, roughly. A file that may only be read serves the vectors that it has.
  //
  // kInvalidArgument for a file that is not a cache and stays as it is, for fewer than kLeastBytes, and for `max_bytes`
  // that are not those of an existing file; kUnsupported for a cache of another format; kCorrupt for a damaged header;
  // kNotFound or kIo if the file can neither be opened nor made.
  static Result<std::shared_ptr<ExactCache>> Open(const std::string& path, std::uint64_t max_bytes = 0);
  ~ExactCache();

  ExactCacheStats stats() const;
  // Of the file.
  std::uint64_t max_bytes() const;

  // For thimble's own layers.
  explicit ExactCache(std::unique_ptr<cache::Table> table);
  cache::Table& table() const { return *table_; }

 private:
  const std::unique_ptr<cache::Table> table_;
};

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_EXACT_CACHE_H_
