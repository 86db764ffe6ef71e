// Memory of a process: what it has, what its buffers will take, and the rest for the model.

#include "cli/process_plan.h"

#include <algorithm>
#include <limits>

#include "base/error.h"
#include "cli/output.h"
#include "thimble/memory.h"

namespace thimble::cli {
namespace {

// Limits from here on need no attention: a default embedder takes a hundredth of this.
constexpr std::size_t kPlenty = 256 << 20;
// What the program will still take for its stack and its heap.
constexpr std::size_t kLaterBytes = 104 << 10;
// Text of a batch, for each of its texts: more than a sentence, less than what fills a tile.
constexpr std::size_t kBytesOfText = 512;
// Of one text beside its bytes and its vector: string, view, report, flags.
constexpr std::size_t kEntryBytes = 96;

// How many batches there are at a time, and what else the loop takes.
struct Loop {
  std::size_t text_batches = 1, vector_batches = 1, other_bytes = 0;
};
// Two threads with their stacks, a row and its hash.
constexpr Loop kJob = {3, 2, (2 * 128 + 32) << 10};

// As much memory for vectors, whatever the loop.
std::size_t MostTexts(const EmbedderOptions& options, const Loop& loop) {
  const std::size_t threads = std::clamp<std::size_t>(options.threads, 1, kBatchTexts);
  return std::min(kThreadTexts * threads, kBatchTexts) / loop.vector_batches;
}

std::size_t BufferBytes(const InputLimits& limits, std::size_t dimensions, const Loop& loop) {
  // A line grows by doubling, so that it may have twice its limit for a moment.
  return kInputBlockBytes + kOutputBufferBytes + loop.text_batches * (limits.batch_bytes + kMaxTextBytes) +
         limits.batch_texts * (loop.vector_batches * dimensions * sizeof(float) + loop.text_batches * kEntryBytes) +
         loop.other_bytes;
}

// What processes differ in: their arguments and what the system makes of them.
constexpr std::size_t kDifferenceBytes = 32 << 10;

Result<ProcessPlan> PlanProcess(const Model& model, const EmbedderOptions& options, std::size_t more_bytes,
                                const Loop& loop) {
  std::size_t limit = options.max_memory != 0 ? options.max_memory : MemoryLimit();
  if (limit == 0) limit = std::numeric_limits<std::size_t>::max();
  THIMBLE_ASSIGN_OR_RETURN(ProcessMemory now, MeasureMemory());
  // `now` counts the open model once more, which its plan counts too: of a copy that would be much.
  EmbedderOptions unlimited = options;
  unlimited.max_memory = 0;
  THIMBLE_ASSIGN_OR_RETURN(const Plan least, Embedder::MakePlan(model, unlimited));
  const std::size_t copied = model.info().file_bytes - least.mapped_bytes;
  ProcessPlan process;
  Status refused;
  for (std::size_t texts = MostTexts(options, loop); texts >= 1; texts /= 2) {
    process.limits.batch_texts = texts;
    process.limits.batch_bytes = texts * kBytesOfText;
    const std::size_t own = std::max(now.private_bytes, now.data_bytes) - copied + more_bytes +
                            BufferBytes(process.limits, model.dimensions(), loop);
    EmbedderOptions rest = options;
    rest.max_memory = limit > own ? limit - own : 1;
    Result<Plan> plan = Embedder::MakePlan(model, rest);
    if (plan.ok()) {
      process.plan = *plan;
      process.plan.fixed_bytes += own;
      process.plan.peak_bytes += own;
      process.max_model = plan->peak_bytes;
      process.limits.json_bytes =
          std::clamp<std::size_t>((limit - process.plan.peak_bytes) / 4, kMaxTextBytes, kMaxJsonBytes);
      return process;
    }
    if (plan.status().code() != Code::kOutOfMemory) return plan.status();
    refused = Error(Code::kOutOfMemory, plan.status().message(), " (of ", limit, " bytes, the program, its input and ",
                    "its output need ", own, ")");
  }
  return refused;
}

Result<ProcessPlan> PlanThis(const Model& model, const EmbedderOptions& options, const Loop& loop) {
  const std::size_t limit = options.max_memory != 0 ? options.max_memory : MemoryLimit();
  if (limit != 0 && limit < kPlenty) return PlanProcess(model, options, kLaterBytes, loop);
  ProcessPlan process;
  process.limits.batch_texts = MostTexts(options, loop);
  process.limits.batch_bytes = process.limits.batch_texts * kBytesOfText;
  THIMBLE_ASSIGN_OR_RETURN(process.plan, Embedder::MakePlan(model, options));
  process.max_model = process.plan.peak_bytes;
  return process;
}

}  // namespace

Result<ProcessPlan> PlanThisProcess(const Model& model, const EmbedderOptions& options) {
  return PlanThis(model, options, {});
}

Result<ProcessPlan> PlanThisJob(const Model& model, const EmbedderOptions& options) {
  return PlanThis(model, options, kJob);
}

Result<ProcessPlan> PlanOtherProcess(const Model& model, const EmbedderOptions& options) {
  Result<ProcessPlan> job = PlanProcess(model, options, kLaterBytes + kDifferenceBytes, kJob);
  if (job.ok() || job.status().code() != Code::kOutOfMemory) return job;
  return PlanProcess(model, options, kLaterBytes + kDifferenceBytes, {});
}

}  // namespace thimble::cli
