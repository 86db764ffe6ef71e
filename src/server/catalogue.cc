// Names of models.

#include "server/catalogue.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string_view>

#include "base/error.h"
#include "runtime/engine.h"
#include "server/http.h"
#include "thimble/cache.h"

namespace thimble::server {
namespace {

constexpr std::string_view kLatest = ":latest";

std::string LastPart(const std::string& name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string::npos ? name : name.substr(slash + 1);
}

bool Taken(const std::vector<std::unique_ptr<const ServedModel>>& models, const std::string& name) {
  return std::any_of(models.begin(), models.end(), [&](const auto& model) {
    return std::find(model->names.begin(), model->names.end(), name) != model->names.end();
  });
}

std::int64_t FileTime(const std::string& path) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(path, error);
  if (error) return 0;
  // The file clock has no agreed epoch in every C++ library: the distance to its own now does it.
  const auto age = std::filesystem::file_time_type::clock::now() - time;
  return std::chrono::duration_cast<std::chrono::seconds>((std::chrono::system_clock::now() - age).time_since_epoch())
      .count();
}

}  // namespace

Result<Catalogue> Catalogue::Open(const std::vector<ModelName>& models, const ModelPool& pool) {
  Catalogue catalogue;
  const Result<std::vector<NamedModel>> kept = ListModels();
  for (const ModelName& asked : models) {
    THIMBLE_ASSIGN_OR_RETURN(const std::shared_ptr<const Model> opened, OpenModel(asked.name, asked.dtype));
    auto model = std::make_unique<ServedModel>();
    model->opened = asked;
    model->info = opened->info();
    THIMBLE_ASSIGN_OR_RETURN(const Plan plan, pool.MakePlan(asked.name, asked.dtype));
    model->info.max_tokens = plan.max_tokens;
    model->embeds = opened->engine().embeds();
    model->ranks = opened->engine().num_scores() > 0;
    const Result<std::string> path = ModelPath(asked.name, asked.dtype);
    if (path.ok()) model->created = FileTime(*path);
    std::vector<std::string> bases;
    if (IsModelName(asked.name)) bases.push_back(Lower(asked.name));
    if (path.ok() && kept.ok()) {
      for (const NamedModel& other : *kept) {
        if (other.path != *path) continue;
        model->repository = other.repository;
        model->revision = other.revision;
        model->organisation = other.organisation;
        if (other.organisation.empty() && !other.repository.empty()) {
          model->organisation = other.repository.substr(0, other.repository.find('/'));
        }
      }
    }
    const std::string bare = IsModelName(asked.name) ? LastPart(asked.name) : model->info.name;
    bases.push_back(Lower(bare));
    if (!model->organisation.empty()) bases.push_back(Lower(model->organisation + "/" + bare));
    if (!model->repository.empty()) bases.push_back(Lower(model->repository));
    model->id = IsModelName(asked.name) ? asked.name : model->info.name;
    if (Taken(catalogue.models_, Lower(model->id))) model->id += ":" + model->info.dtype;
    if (Taken(catalogue.models_, Lower(model->id))) {
      return Error(Code::kInvalidArgument, "model ", asked.name, ": a model called ", model->id, " is served already");
    }
    for (const std::string& base : bases) {
      for (const std::string& name : {base, base + ":" + Lower(model->info.dtype)}) {
        if (!Taken(catalogue.models_, name)) model->names.push_back(name);
      }
    }
    catalogue.models_.push_back(std::move(model));
  }
  return catalogue;
}

const ServedModel* Catalogue::Find(const std::string& name) const {
  if (models_.empty()) return nullptr;
  if (name.empty()) return models_.front().get();
  std::string wanted = Lower(name);
  if (wanted.ends_with(kLatest)) wanted.resize(wanted.size() - kLatest.size());
  for (const auto& model : models_) {
    if (std::find(model->names.begin(), model->names.end(), wanted) != model->names.end()) return model.get();
  }
  // An organisation that no file records cannot be a wrong one.
  if (wanted.find('/') == std::string::npos) return nullptr;
  wanted = LastPart(wanted);
  for (const auto& model : models_) {
    if (model->organisation.empty() && model->id.find('/') == std::string::npos &&
        std::find(model->names.begin(), model->names.end(), wanted) != model->names.end()) {
      return model.get();
    }
  }
  return nullptr;
}

std::string Catalogue::Ids() const {
  std::string ids;
  for (const auto& model : models_) ids += (ids.empty() ? "" : ", ") + model->id;
  return ids;
}

}  // namespace thimble::server
