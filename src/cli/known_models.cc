// The table of known models as text and as JSON.

#include "cli/known_models.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/output.h"
#include "json/value.h"
#include "thimble/known_models.h"

namespace thimble::cli {
namespace {

constexpr char kNotes[] =
    "Sizes are those of the model files; \"not yet\" marks models that thimble cannot run, and thimble pull MODEL\n"
    "states what is missing. MTEB is the mean score, * over fewer tasks than all. Prompts, copies and the source: "
    "--json.\n";

char Lower(char c) { return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c); }

bool Contains(std::string_view repository, std::string_view text) {
  return std::search(repository.begin(), repository.end(), text.begin(), text.end(),
                     [](char a, char b) { return Lower(a) == Lower(b); }) != repository.end();
}

std::string NameIn(std::string_view repository) { return std::string(repository.substr(repository.find('/') + 1)); }

std::string Megabytes(std::uint64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.0f MB", static_cast<double>(bytes) * 1e-6);
  return text;
}

std::string ScoreText(const std::optional<BenchmarkScore>& score, std::size_t tasks) {
  if (!score) return "";
  char text[32];
  std::snprintf(text, sizeof text, "%.1f%s", score->mean, score->tasks < tasks ? "*" : " ");
  return text;
}

json::Value ScoreJson(const std::optional<BenchmarkScore>& score) {
  if (!score) return nullptr;
  return json::Object{{"mean", score->mean}, {"tasks", score->tasks}, {"retrieval", score->retrieval}};
}

json::Object JsonOf(const KnownModelInfo& model) {
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

std::string TextOf(const KnownModelInfo& model) {
  constexpr std::size_t kAllEnglish = 41, kAllMultilingual = 130;
  const auto number = [](std::size_t value) { return value == 0 ? std::string() : std::to_string(value); };
  const bool runs = model.missing.empty();
  char line[160];
  std::snprintf(line, sizeof line, "%-38s %-9s %-5s %5s %6s %9s %9s %8s %8s  %s\n", NameIn(model.repository).c_str(),
                model.reranker ? "reranker" : "embedding", model.multilingual ? "multi" : "en",
                number(model.dimensions).c_str(), number(model.max_tokens).c_str(),
                runs ? Megabytes(model.bytes_q8).c_str() : "not yet", runs ? Megabytes(model.bytes_q4).c_str() : "",
                ScoreText(model.mteb_english, kAllEnglish).c_str(),
                ScoreText(model.mteb_multilingual, kAllMultilingual).c_str(), std::string(model.licence).c_str());
  return line;
}

}  // namespace

Status PrintKnownModels(const std::string& text, bool as_json) {
  std::vector<KnownModelInfo> models = KnownModels();
  std::erase_if(models, [&](const KnownModelInfo& model) { return !Contains(model.repository, text); });
  if (models.empty()) return Error(Code::kNotFound, "no known model contains \"", text, "\"");
  THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open(""));
  if (as_json) {
    json::Array list;
    for (const KnownModelInfo& model : models) list.push_back(JsonOf(model));
    const json::Value all = json::Object{{"models", std::move(list)}, {"mteb_source", std::string(BenchmarkSource())}};
    THIMBLE_RETURN_IF_ERROR(output.Write(all.Text() + "\n"));
  } else {
    char head[160];
    std::snprintf(head, sizeof head, "%-38s %-9s %-5s %5s %6s %9s %9s %8s %8s  %s\n", "MODEL", "KIND", "LANG", "DIMS",
                  "TOKENS", "Q8", "Q4", "MTEB EN ", "MULTI ", "LICENCE");
    THIMBLE_RETURN_IF_ERROR(output.Write(head));
    for (const KnownModelInfo& model : models) THIMBLE_RETURN_IF_ERROR(output.Write(TextOf(model)));
    THIMBLE_RETURN_IF_ERROR(output.Write(kNotes));
  }
  return output.Finish();
}

}  // namespace thimble::cli
