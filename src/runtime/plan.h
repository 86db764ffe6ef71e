// How large the tiles of an embedder may be.

#ifndef THIMBLE_RUNTIME_PLAN_H_
#define THIMBLE_RUNTIME_PLAN_H_

#include <cstddef>
#include <limits>
#include <string_view>

#include "runtime/engine.h"
#include "thimble/embedder.h"

namespace thimble::runtime {

inline constexpr std::size_t kNoLimit = std::numeric_limits<std::size_t>::max();

inline constexpr std::size_t kMaxThreads = 64;

// Private bytes of an embedder beside scratch: its objects and the stacks of its threads.
std::size_t EmbedderFixedBytes(std::size_t threads);

// The table of the cache that the options name; null for none.
cache::Table* TableOf(const EmbedderOptions& options);

// The plan with the largest tile whose peak is at most `allowed`; options.max_memory is not looked at. kInvalidArgument
// for options out of range; kOutOfMemory, with the option `limit` that it comes from, when no tile fits.
Result<Plan> PlanTile(const Engine& engine, const EmbedderOptions& options, std::size_t allowed,
                      std::string_view limit = "max_memory");

}  // namespace thimble::runtime

#endif  // THIMBLE_RUNTIME_PLAN_H_
