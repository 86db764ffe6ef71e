// Models that thimble knows by name: where they are on the hub, and what their sources may not say of themselves. The
// table is known_models.json, of which the build makes arrays.

#ifndef THIMBLE_STORE_KNOWN_MODELS_H_
#define THIMBLE_STORE_KNOWN_MODELS_H_

#include <cstddef>
#include <span>
#include <string_view>

#include "thimble/model.h"

namespace thimble::store {

struct KnownPrompt {
  std::string_view name;
  std::string_view text;
};

struct KnownModel {
  std::string_view name;                      // "bge-small-en-v1.5"
  std::string_view repository;                // "BAAI/bge-small-en-v1.5"
  std::span<const std::string_view> aliases;  // Copies of it, "Xenova/bge-small-en-v1.5".
  Pooling pooling;
  bool normalize;
  std::size_t max_tokens;  // As sentence-transformers has it.
  std::span<const KnownPrompt> prompts;
};

// The whole table.
std::span<const KnownModel> KnownModels();

// The model of that name, repository or alias, in any case of letters; null when there is none. An organisation that is
// not listed is somebody else's model.
const KnownModel* FindKnownModel(std::string_view alias);

}  // namespace thimble::store

#endif  // THIMBLE_STORE_KNOWN_MODELS_H_
