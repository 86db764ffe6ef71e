// Finds prompts by the names that models give them.

#include "cli/prompts.h"

#include <algorithm>
#include <vector>

#include "base/error.h"

namespace thimble::cli {

Result<PromptPair> FindPrompts(std::span<const std::string> names, std::string_view what) {
  PromptPair pair;
  const auto has = [&](std::string_view name) { return std::find(names.begin(), names.end(), name) != names.end(); };
  if (has("query")) pair.query = "query";
  pair.line = has("passage") ? "passage" : has("document") ? "document" : "";
  if (pair.query.empty() && pair.line.empty()) {
    return Error(Code::kInvalidArgument, "--prompts: ", what, " has no prompt named query, passage or document");
  }
  return pair;
}

Result<PromptPair> FindPrompts(const ModelInfo& model) {
  std::vector<std::string> names;
  for (const Prompt& prompt : model.prompts) names.push_back(prompt.name);
  return FindPrompts(names, model.name);
}

}  // namespace thimble::cli
