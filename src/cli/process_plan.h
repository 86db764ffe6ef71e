// How a command that embeds divides the memory of its process.

#ifndef THIMBLE_CLI_PROCESS_PLAN_H_
#define THIMBLE_CLI_PROCESS_PLAN_H_

#include <cstddef>

#include "cli/input.h"
#include "thimble/embedder.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::cli {

struct ProcessPlan {
  Plan plan;                  // Of the whole process: fixed_bytes counts the program, its input and its output too.
  std::size_t max_model = 0;  // What of it the embedder may have: EmbedderOptions::max_memory.
  InputLimits limits;
};

// The plan of this process, with `model` open and about to embed, for an embedder with `options`, whose max_memory is a
// limit for the whole process; 0 means that of its control group, or none. The larger the limit, the more texts go
// together. The process does not measure itself while there is memory in plenty: the plan is then the embedder's alone.
// kOutOfMemory when not even one text fits: the message says how much is needed; kInvalidArgument for options out of
// range.
Result<ProcessPlan> PlanThisProcess(const Model& model, const EmbedderOptions& options);
// The same where three batches of texts and two of vectors are on their way at a time.
Result<ProcessPlan> PlanThisJob(const Model& model, const EmbedderOptions& options);

// The same for a thimble embed yet to be started: always of the whole process, and no less than it will find itself.
Result<ProcessPlan> PlanOtherProcess(const Model& model, const EmbedderOptions& options);

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_PROCESS_PLAN_H_
