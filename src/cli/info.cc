// thimble info: what a model file holds.

#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/values.h"

namespace thimble::cli {
namespace {

constexpr char kExamples[] =
    "  thimble info model.safetensors\n"
    "  thimble info all-MiniLM-L6-v2 --dtype q4\n"
    "  thimble info --json model.safetensors\n"
    "\n"
    "Scratch is the memory that one embedder needs beside the file, which all processes share.\n";

Status Info(const ModelOption& model_option, bool as_json) {
  THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, model_option.Open());
  THIMBLE_ASSIGN_OR_RETURN(Plan plan, Embedder::MakePlan(*model));
  const ModelInfo& info = model->info();
  nlohmann::ordered_json prompts = nlohmann::ordered_json::object();
  for (const Prompt& prompt : info.prompts) prompts[prompt.name] = prompt.text;
  return PrintValues(
      {
          {"name", info.name},
          {"dtype", info.dtype},
          {"dimensions", info.dimensions},
          {"layers", info.layers},
          {"heads", info.heads},
          {"vocabulary", info.vocabulary},
          {"positions", info.positions},
          {"max_tokens", info.max_tokens},
          {"tokenizers_max_tokens", info.tokenizers_max_tokens},
          {"pooling", std::string(PoolingName(info.pooling))},
          {"normalize", info.normalize},
          {"prompts", prompts},
          {"file_bytes", info.file_bytes},
          {"scratch_bytes", plan.scratch_bytes},
          {"isa", std::string(model->isa())},
      },
      as_json);
}

}  // namespace

int RunInfo(int argc, char** argv) {
  ModelOption model;
  bool as_json = false;
  Arguments arguments("info", "Shows what a model file holds and what it needs.", kExamples);
  model.AddAsArgument(arguments.app());
  arguments.app().add_flag("--json", as_json, "Print one JSON object");
  if (auto code = arguments.Parse(argc, argv)) return *code;
  Status status = Info(model, as_json);
  return status.ok() ? kDone : Fail("info", status);
}

}  // namespace thimble::cli
