// Models that thimble knows by name: where they are on the hub, and what their sources may not say of themselves.

#ifndef THIMBLE_STORE_KNOWN_MODELS_H_
#define THIMBLE_STORE_KNOWN_MODELS_H_

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <span>
#include <string_view>

#include "thimble/model.h"

namespace thimble::store {

struct KnownPrompt {
  std::string_view name;
  std::string_view text;
};

// A row of the table.
struct KnownModel {
  std::string_view repository;  // "BAAI/bge-small-en-v1.5"
  std::string_view copies[3];   // Of it, "Xenova/bge-small-en-v1.5"; those that are empty come last.
  Pooling pooling;
  bool normalize;
  std::size_t max_tokens;  // As sentence-transformers has it.
  std::span<const KnownPrompt> prompts;

  // The repository without its organisation.
  std::string_view name() const { return repository.substr(repository.find('/') + 1); }
  std::span<const std::string_view> aliases() const {
    return {std::begin(copies), std::find(std::begin(copies), std::end(copies), "")};
  }
};

// The whole table.
std::span<const KnownModel> KnownModels();

// The model of that name, repository or alias, in any case of letters; null when there is none. An organisation that is
// not listed is somebody else's model.
const KnownModel* FindKnownModel(std::string_view alias);

// Whether the authors of that model cut the LayerNorm of its vectors, and not the vectors, to shorter ones.
bool CutsLayerNorm(std::string_view alias);

}  // namespace thimble::store

#endif  // THIMBLE_STORE_KNOWN_MODELS_H_
