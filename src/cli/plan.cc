// thimble plan: the memory of an embedding, before it takes any.

#include <array>
#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/process_plan.h"

namespace thimble::cli {
namespace {

constexpr char kExamples[] =
    "  thimble plan model.safetensors\n"
    "  thimble plan all-MiniLM-L6-v2 --dtype q4\n"
    "  thimble plan model.safetensors --max-memory 2MB --threads 2 --json\n"
    "\n"
    "mapped is the model file, which processes share and the system can drop. All other memory is private to the\n"
    "process: fixed is for the program, its input and its output, scratch for each thread. peak is the most that\n"
    "thimble embed takes with the same options, whatever the number and length of the texts.\n";

Status Plan(const ModelOption& model_option, const EmbedderFlags& flags, bool as_json) {
  THIMBLE_ASSIGN_OR_RETURN(EmbedderOptions options, flags.Options());
  THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, model_option.Open());
  THIMBLE_ASSIGN_OR_RETURN(ProcessPlan process, PlanOtherProcess(*model, options));
  return PrintValues(
      {
          {"mapped_bytes", process.plan.mapped_bytes},
          {"fixed_bytes", process.plan.fixed_bytes},
          {"scratch_bytes_per_thread", process.plan.scratch_bytes},
          {"threads", process.plan.threads},
          {"peak_bytes", process.plan.peak_bytes},
          {"max_tokens", process.plan.max_tokens},
          {"tile_tokens", process.plan.tile_tokens},
          {"batch_texts", process.limits.batch_texts},
      },
      as_json, std::array{model_option.File()});
}

}  // namespace

int RunPlan(int argc, char** argv) {
  ModelOption model;
  EmbedderFlags flags;
  bool as_json = false;
  Arguments arguments("plan", "Shows how much memory embedding will take.", kExamples);
  model.AddAsArgument(arguments.app());
  flags.AddTo(arguments.app());
  arguments.app().add_flag("--json", as_json, "Print one JSON object");
  if (auto code = arguments.Parse(argc, argv)) return *code;
  return Exit("plan", Plan(model, flags, as_json));
}

}  // namespace thimble::cli
