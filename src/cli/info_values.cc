// The members, in the order in which they are printed.

#include "cli/info_values.h"

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "thimble/receipt.h"

namespace thimble::cli {
namespace {

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text.append(text.empty() ? "" : ", ").append(word);
  return text.empty() ? "none" : text;
}

json::Value ScoreJson(const std::optional<BenchmarkScore>& score) {
  if (!score) return nullptr;
  return json::Object{{"mean", score->mean}, {"tasks", score->tasks}, {"retrieval", score->retrieval}};
}

}  // namespace

Result<json::Object> InfoValues(const Model& model, const VectorOptions& vectors, Precision precision) {
  THIMBLE_ASSIGN_OR_RETURN(Plan plan, Embedder::MakePlan(model));
  THIMBLE_ASSIGN_OR_RETURN(std::optional<Receipt> receipt, ReadReceipt(model));
  const ModelInfo& info = model.info();
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
      {"isa", std::string(model.isa())},
      {"fastest_dtype", std::string(model.fastest_dtype())},
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
  return values;
}

json::Object KnownModelValues(const KnownModelInfo& model) {
  json::Array copies;
  for (std::string_view copy : model.copies) copies.push_back(std::string(copy));
  json::Object prompts;
  for (const Prompt& prompt : model.prompts) prompts[prompt.name] = prompt.text;
  json::Object object = {
      {"repository", std::string(model.repository)},
      {"copies", std::move(copies)},
      {"family", std::string(model.family)},
      {"supported", model.missing.empty()},
      {"missing", std::string(model.missing)},
      {"kind", model.reranker ? "reranker" : "embedding"},
      {"language", model.multilingual ? "multilingual" : "en"},
      {"dimensions", model.dimensions},
      {"max_tokens", model.max_tokens},
      {"prompts", std::move(prompts)},
      {"bytes_q8", model.bytes_q8},
      {"bytes_q4", model.bytes_q4},
      {"licence", std::string(model.licence)},
      {"mteb_english", ScoreJson(model.mteb_english)},
      {"mteb_multilingual", ScoreJson(model.mteb_multilingual)},
  };
  if (model.pooling) {
    object["pooling"] = std::string(PoolingName(*model.pooling));
    object["normalize"] = model.normalize;
  }
  return object;
}

json::Object NamedModelValues(const NamedModel& model) {
  return {
      {"name", model.name},
      {"dtype", model.dtype},
      {"path", model.path},
      {"bytes", model.bytes},
      {"organisation", model.organisation},
      {"repository", model.repository},
      {"revision", model.revision},
  };
}

}  // namespace thimble::cli
