// The models that a server offers, and the names that clients know them by.

#ifndef THIMBLE_SERVER_CATALOGUE_H_
#define THIMBLE_SERVER_CATALOGUE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "thimble/model.h"
#include "thimble/pool.h"
#include "thimble/status.h"

namespace thimble::server {

// A model as a pool takes it.
struct ModelName {
  std::string name;
  std::string dtype;
};

struct ServedModel {
  std::string id;                       // What replies call it; different from all others'.
  ModelName opened;                     // What the pool opens.
  ModelInfo info;                       // With the truncation limit of the pool.
  bool embeds = true;                   // Whether it has vectors of texts,
  bool ranks = false;                   // and whether scores of pairs.
  std::string repository;               // With its organisation; may be empty.
  std::string revision;                 // The same.
  std::string organisation;             // The same.
  std::int64_t created = 0;             // Seconds since 1970: when its file was made.
  std::vector<std::string> names = {};  // In lower case, that find it; no two models share one.
};

// Immutable and so thread-safe.
class Catalogue {
 public:
  // Opens each model once, for what its file says and for what `pool` makes of it. The errors of OpenModel and of
  // MakePlan, and kInvalidArgument where a model is named twice.
  static Result<Catalogue> Open(const std::vector<ModelName>& models, const ModelPool& pool);

  // The model of that name, whose case does not matter: with or without its organisation, with ":latest" or ":DTYPE"
  // behind it. An empty name is the first model. Null when there is none.
  const ServedModel* Find(const std::string& name) const;
  const std::vector<std::unique_ptr<const ServedModel>>& models() const { return models_; }
  // Their ids, for messages.
  std::string Ids() const;

 private:
  std::vector<std::unique_ptr<const ServedModel>> models_;
};

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_CATALOGUE_H_
