// How large the tiles of an embedder may be.

#include "runtime/plan.h"

#include <algorithm>

#include "base/error.h"
#include "base/thread.h"

namespace thimble::runtime {
namespace {

// Tokens of a tile unless memory is short or texts are longer: matrix products run at full speed from 16 rows, and more
// than this would only cost memory.
constexpr std::size_t kTileTokens = 256;
// A tile shrinks in steps of what the kernels take together.
constexpr std::size_t kTileStep = 8;
// An embedder's own objects.
constexpr std::size_t kWorkerBytes = 1024;

}  // namespace

std::size_t EmbedderFixedBytes(std::size_t threads) {
  return threads * kWorkerBytes + (threads - 1) * base::Thread::kStackBytes;
}

cache::Table* TableOf(const EmbedderOptions& options) {
  return options.cache == nullptr ? nullptr : &options.cache->table();
}

Result<Plan> PlanTile(const Engine& engine, const EmbedderOptions& options, std::size_t allowed,
                      std::string_view limit) {
  if (options.threads < 1 || options.threads > kMaxThreads) {
    return Error(Code::kInvalidArgument, "`threads`: expected 1 to ", kMaxThreads, ", found ", options.threads);
  }
  Plan plan;
  THIMBLE_ASSIGN_OR_RETURN(plan.max_tokens, ResolveMaxTokens(engine, options.max_tokens, options.truncation));
  plan.mapped_bytes = engine.MappedBytes();
  plan.fixed_bytes = engine.FixedBytes() + EmbedderFixedBytes(options.threads);
  plan.threads = options.threads;
  auto set_tile = [&](std::size_t tokens) {
    plan.tile_tokens = tokens;
    plan.scratch_bytes =
        engine.ScratchBytes({.max_tokens = plan.max_tokens, .tile_tokens = tokens, .cache = TableOf(options)});
    plan.peak_bytes = plan.fixed_bytes + plan.threads * plan.scratch_bytes;
  };
  set_tile(plan.max_tokens);
  if (plan.peak_bytes > allowed) {
    return Error(Code::kOutOfMemory, engine.info().name, " with ", options.threads,
                 options.threads == 1 ? " thread" : " threads", " and texts of ", plan.max_tokens, " tokens needs ",
                 plan.peak_bytes, " bytes, but only ", allowed, " are allowed; raise `", limit,
                 "`, or lower `max_tokens` or `threads`");
  }
  // The smallest tile fits; the largest that does is looked for from above.
  std::size_t tokens = std::max(plan.max_tokens, kTileTokens);
  for (set_tile(tokens); plan.peak_bytes > allowed; set_tile(tokens)) {
    tokens = std::max(plan.max_tokens, tokens - kTileStep);
  }
  return plan;
}

}  // namespace thimble::runtime
