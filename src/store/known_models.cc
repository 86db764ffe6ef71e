// The table of known models, and looking for a name in it.

#include "store/known_models.h"

#include "store/name.h"

namespace thimble::store {
namespace {

#include "store/known_models.inc"  // kKnownModels

}  // namespace

std::span<const KnownModel> KnownModels() { return kKnownModels; }

const KnownModel* FindKnownModel(std::string_view alias) {
  for (const KnownModel& model : kKnownModels) {
    if (SameWithoutCase(alias, model.name) || SameWithoutCase(alias, model.repository)) return &model;
    for (std::string_view other : model.aliases) {
      if (SameWithoutCase(alias, other)) return &model;
    }
  }
  return nullptr;
}

}  // namespace thimble::store
