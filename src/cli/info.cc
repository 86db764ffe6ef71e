// thimble info: what a model file holds.

#include <array>
#include <cstdio>
#include <optional>
#include <string>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "thimble/precision.h"
#include "thimble/receipt.h"

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

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text.empty() ? "none" : text;
}

Status Info(const ModelOption& model_option, const EmbedderFlags& flags, const std::string& precision_name,
            bool as_json) {
  THIMBLE_ASSIGN_OR_RETURN(const Precision precision, ParsePrecision(precision_name));
  THIMBLE_ASSIGN_OR_RETURN(const VectorOptions vectors, flags.Vectors());
  THIMBLE_ASSIGN_OR_RETURN(std::shared_ptr<const Model> model, model_option.Open());
  THIMBLE_ASSIGN_OR_RETURN(Plan plan, Embedder::MakePlan(*model));
  THIMBLE_ASSIGN_OR_RETURN(std::optional<Receipt> receipt, ReadReceipt(*model));
  const ModelInfo& info = model->info();
  THIMBLE_ASSIGN_OR_RETURN(const std::string fingerprint, SpaceFingerprint(info, vectors, precision));
  THIMBLE_ASSIGN_OR_RETURN(const CodeRange range, FindCodeRange(info, precision, vectors));
  json::Object values = {
      {"name", info.name},
      {"architecture", info.architecture},
      {"dtype", info.dtype},
      {"dimensions", vectors.dimensions.value_or(info.dimensions)},
      {"layers", info.layers},
      {"heads", info.heads},
      {"vocabulary", info.vocabulary},
      {"positions", info.positions},
      {"max_tokens", info.max_tokens},
      {"tokenizers_max_tokens", info.tokenizers_max_tokens},
      {"model_max_length", info.model_max_length},
      {"pooling", info.pooling.empty() ? "not stated" : PoolingNames(info.pooling)},
      {"include_prompt", info.include_prompt},
      {"modules", Joined(info.modules)},
      {"normalize", info.normalize},
      {"file_bytes", info.file_bytes},
      {"scratch_bytes", plan.scratch_bytes},
      {"isa", std::string(model->isa())},
      {"fastest_dtype", std::string(model->fastest_dtype())},
      {"fingerprint", fingerprint},
  };
  if (!info.labels.empty()) {
    values["type"] = "reranker";
    values["labels"] = Joined(info.labels);
    values["score_activation"] = info.score_activation;
  }
  if (range != CodeRange()) {
    values["code_start"] = range.start;
    values["code_end"] = range.end;
  }
  if (info.layer_norm_before_cut) values["layer_norm_before_cut"] = true;
  for (const Prompt& prompt : info.prompts) values["prompt." + prompt.name] = prompt.text;
  if (!info.default_prompt_name.empty()) values["default_prompt_name"] = info.default_prompt_name;
  if (receipt) {
    values["recipe"] = receipt->recipe;
    values["calibration"] = receipt->calibration;
    values["receipt_texts"] = receipt->texts;
    values["cosine_mean"] = receipt->cosine_mean;
    values["cosine_p1"] = receipt->cosine_p1;
    values["cosine_min"] = receipt->cosine_min;
    if (receipt->unrelated) {
      values["unrelated_pairs"] = receipt->unrelated->pairs;
      for (const auto& [share, cosine] : receipt->unrelated->quantiles) {
        char name[32];
        std::snprintf(name, sizeof name, "unrelated_p%g", 100 * share);
        values[name] = cosine;
      }
    }
    if (receipt->score_error_max) values["score_error_max"] = *receipt->score_error_max;
    values["goldens"] = receipt->goldens;
    values["source_sha256"] = receipt->source_sha256;
    values["tokenizer_sha256"] = receipt->tokenizer_sha256;
    for (std::size_t i = 0; i < receipt->notes.size(); ++i) values["note." + std::to_string(i)] = receipt->notes[i];
  }
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
