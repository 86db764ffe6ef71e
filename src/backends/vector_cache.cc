// A list in the order of use, and a map into it.

#include "backends/vector_cache.h"

namespace thimble::backends {
namespace {

// Of an entry in list and map, beside key and vector.
constexpr std::size_t kEntryBytes = 200;

}  // namespace

std::size_t VectorCache::BytesOf(const Entry& entry) {
  return entry.first.size() + entry.second.vector.size() * sizeof(float) + kEntryBytes;
}

std::optional<Embedding> VectorCache::Get(std::string_view key) {
  const std::lock_guard lock(mutex_);
  const auto found = map_.find(key);
  if (found == map_.end()) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->second;
}

void VectorCache::Put(std::string key, const Embedding& embedding) {
  Entry entry(std::move(key), embedding);
  const std::size_t bytes = BytesOf(entry);
  const std::lock_guard lock(mutex_);
  if (bytes > most_bytes_ || map_.contains(entry.first)) return;
  while (bytes > most_bytes_ - bytes_) {
    bytes_ -= BytesOf(entries_.back());
    map_.erase(entries_.back().first);
    entries_.pop_back();
  }
  entries_.push_front(std::move(entry));
  map_.emplace(entries_.front().first, entries_.begin());
  bytes_ += bytes;
}

}  // namespace thimble::backends
