// The table of known models as defaults of a conversion.

#include "hub/known_defaults.h"

#include <string>

#include "store/known_models.h"

namespace thimble::hub {

convert::Defaults KnownDefaults(std::string_view alias) {
  convert::Defaults defaults;
  const store::KnownModel* model = store::FindKnownModel(alias);
  if (model == nullptr) return defaults;
  defaults.pooling = model->pooling;
  defaults.normalize = model->normalize;
  defaults.max_tokens = model->max_tokens;
  for (const store::KnownPrompt& prompt : model->prompts) {
    defaults.prompts.push_back({std::string(prompt.name), std::string(prompt.text)});
  }
  return defaults;
}

}  // namespace thimble::hub
