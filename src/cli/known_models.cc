// The table of known models as text and as JSON.

#include "cli/known_models.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string_view>
#include <vector>

#include "base/ascii.h"
#include "base/error.h"
#include "cli/info_values.h"
#include "cli/output.h"
#include "json/value.h"
#include "thimble/known_models.h"

namespace thimble::cli {
namespace {

constexpr char kRow[] = "%-38s %-9s %-5s %5s %6s %9s %9s %8s %8s  %s\n";
constexpr char kNotes[] =
    "Sizes are those of the model files; \"not yet\" marks models that thimble cannot run, and thimble pull MODEL\n"
    "states what is missing. MTEB is the mean score, * over fewer tasks than all. Prompts, copies and the source: "
    "--json.\n";

bool Contains(std::string_view repository, std::string_view text) {
  return std::search(repository.begin(), repository.end(), text.begin(), text.end(),
                     [](char a, char b) { return base::ToLower(a) == base::ToLower(b); }) != repository.end();
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

std::string TextOf(const KnownModelInfo& model) {
  constexpr std::size_t kAllEnglish = 41, kAllMultilingual = 130;
  const auto number = [](std::size_t value) { return value == 0 ? std::string() : std::to_string(value); };
  const bool runs = model.missing.empty();
  char line[160];
  std::snprintf(line, sizeof line, kRow, NameIn(model.repository).c_str(), model.reranker ? "reranker" : "embedding",
                model.multilingual ? "multi" : "en", number(model.dimensions).c_str(), number(model.max_tokens).c_str(),
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
    for (const KnownModelInfo& model : models) list.push_back(KnownModelValues(model));
    const json::Value all = json::Object{{"models", std::move(list)}, {"mteb_source", std::string(BenchmarkSource())}};
    THIMBLE_RETURN_IF_ERROR(output.Write(all.Text() + "\n"));
  } else {
    char head[160];
    std::snprintf(head, sizeof head, kRow, "MODEL", "KIND", "LANG", "DIMS", "TOKENS", "Q8", "Q4", "MTEB EN ", "MULTI ",
                  "LICENCE");
    THIMBLE_RETURN_IF_ERROR(output.Write(head));
    for (const KnownModelInfo& model : models) THIMBLE_RETURN_IF_ERROR(output.Write(TextOf(model)));
    THIMBLE_RETURN_IF_ERROR(output.Write(kNotes));
  }
  return output.Finish();
}

}  // namespace thimble::cli
