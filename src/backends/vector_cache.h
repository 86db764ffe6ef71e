// Vectors that were made before, within a quota of bytes.

#ifndef THIMBLE_BACKENDS_VECTOR_CACHE_H_
#define THIMBLE_BACKENDS_VECTOR_CACHE_H_

#include <cstddef>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "thimble/backend.h"

namespace thimble::backends {

// Of one vector space. Those used longest ago are dropped first. Thread-safe.
class VectorCache {
 public:
  explicit VectorCache(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  std::optional<Embedding> Get(std::string_view key);
  // One that is larger than the quota is not kept.
  void Put(std::string key, const Embedding& embedding);

 private:
  using Entry = std::pair<std::string, Embedding>;
  static std::size_t BytesOf(const Entry& entry);

  const std::size_t most_bytes_;
  std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::list<Entry> entries_;                                              // The last used one first.
  std::unordered_map<std::string_view, std::list<Entry>::iterator> map_;  // Its keys are those of the entries.
};

}  // namespace thimble::backends

#endif  // THIMBLE_BACKENDS_VECTOR_CACHE_H_
