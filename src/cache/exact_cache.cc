// The public face of a table, and no exception.

#include "thimble/exact_cache.h"

#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "cache/table.h"

namespace thimble::inline v0_1 {

Result<std::shared_ptr<ExactCache>> ExactCache::Open(const std::string& path, std::uint64_t max_bytes) {
  return base::Guarded([&]() -> Result<std::shared_ptr<ExactCache>> {
    THIMBLE_ASSIGN_OR_RETURN(std::unique_ptr<cache::Table> table, cache::Table::Open(path, max_bytes));
    return std::make_shared<ExactCache>(std::move(table));
  });
}

ExactCache::ExactCache(std::unique_ptr<cache::Table> table) : table_(std::move(table)) {}
ExactCache::~ExactCache() = default;

ExactCacheStats ExactCache::stats() const { return table_->stats(); }
std::uint64_t ExactCache::max_bytes() const { return table_->max_bytes(); }

}  // namespace thimble::inline v0_1
