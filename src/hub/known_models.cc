// The table of known models, and looking for a name in it.

#include "hub/known_models.h"

#include <algorithm>

namespace thimble::hub {
namespace {

#include "hub/known_models.inc"  // kKnownModels

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

bool Alike(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return Lower(x) == Lower(y); });
}

}  // namespace

std::span<const KnownModel> KnownModels() { return kKnownModels; }

const KnownModel* FindKnownModel(std::string_view alias) {
  for (const KnownModel& model : kKnownModels) {
    if (Alike(alias, model.name) || Alike(alias, model.repository)) return &model;
    for (std::string_view other : model.aliases) {
      if (Alike(alias, other)) return &model;
    }
  }
  return nullptr;
}

convert::Defaults KnownDefaults(std::string_view alias) {
  convert::Defaults defaults;
  const KnownModel* model = FindKnownModel(alias);
  if (model == nullptr) return defaults;
  defaults.pooling = model->pooling;
  defaults.normalize = model->normalize;
  defaults.max_tokens = model->max_tokens;
  for (const KnownPrompt& prompt : model->prompts) {
    defaults.prompts.push_back({std::string(prompt.name), std::string(prompt.text)});
  }
  return defaults;
}

}  // namespace thimble::hub
