// thimble info: what a model file holds.

#include <array>
#include <memory>
#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/info_values.h"
#include "cli/options.h"
#include "cli/output.h"
#include "thimble/precision.h"

namespace thimble::cli {
namespace {

constexpr char kExamples[] =
    "  thimble info model.safetensors\n"
    "  thimble info all-MiniLM-L6-v2 --dtype q4\n"
    "  thimble info --json model.safetensors\n"
    "\n"
    "Scratch is the memory that one embedder needs in addition to the file, which all processes share.\n"
    "The fingerprint identifies the vector space: vectors can be compared if their fingerprints are equal. With\n"
    "--dimensions or --precision, it is that of shorter vectors or of codes, and code_start and code_end are the\n"
    "range of int8 and uint8.\n"
    "cosine_mean, cosine_p1 (first percentile) and cosine_min compare the vectors of built-in texts with those in\n"
    "fp32; of a reranker, the vectors that its scores are made of. score_error_max is the largest difference of its\n"
    "raw scores to those in fp32. unrelated_pN is the cosine below which N percent of pairs of texts on different\n"
    "subjects are.\n";

Status Info(const ModelOption& model_option, const EmbedderFlags& flags, const std::string& precision_name,
            bool as_json) {
  THIMBLE_ASSIGN_OR_RETURN(const Precision precision, ParsePrecision(precision_name));
  THIMBLE_ASSIGN_OR_RETURN(const VectorOptions vectors, flags.Vectors());
  THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, model_option.Open());
  THIMBLE_ASSIGN_OR_RETURN(const json::Object values, InfoValues(*model, vectors, precision));
  return PrintValues(values, as_json, std::array{model_option.File()});
}

}  // namespace

int RunInfo(int argc, char** argv) {
  ModelOption model;
  EmbedderFlags flags;
  std::string precision = "float32";
  bool as_json = false;
  Arguments arguments("info", "Shows the contents of a model file and the memory that it needs.", kExamples);
  model.AddAsArgument(arguments.app());
  flags.AddDimensionsTo(arguments.app());
  AddOption(arguments.app(), "--precision", precision, "NAME", "float32, int8, uint8, binary or ubinary")
      ->capture_default_str();
  arguments.app().add_flag("--json", as_json, "Print one JSON object");
  if (auto code = arguments.Parse(argc, argv)) return *code;
  return Exit("info", Info(model, flags, precision, as_json));
}

}  // namespace thimble::cli
