// Which files a conversion reads, and getting them.

#include "hub/fetcher.h"

#include <algorithm>
#include <filesystem>

#include "convert/config.h"
#include "convert/folder_files.h"
#include "convert/job.h"
#include "json/json_file.h"
#include "store/known_models.h"

namespace thimble::hub {

Status Fetcher::Fetch() {
  const auto has = [&](const std::string& name) { return listing_.files.contains(name); };
  const auto read = [&](const std::string& name) -> Result<std::string> {
    THIMBLE_RETURN_IF_ERROR(Get(name));
    return json::ReadFile(folder_ + "/" + name, json::kMaxConfigBytes);
  };
  convert::FolderView view = {.names = {}, .has = has, .read = read};
  for (const auto& [name, file] : listing_.files) view.names.push_back(name);
  THIMBLE_ASSIGN_OR_RETURN(const convert::ModuleFolders modules, Said(convert::ReadModuleFolders(view)));
  THIMBLE_ASSIGN_OR_RETURN(const std::vector<std::string> settings, Said(convert::ConfigurationFiles(view, modules)));
  const Result<std::vector<std::string>> weights = Said(convert::WeightFiles(view, modules));
  THIMBLE_RETURN_IF_ERROR(Count(settings));
  if (weights.ok()) THIMBLE_RETURN_IF_ERROR(Count(*weights));
  for (const std::string& name : settings) THIMBLE_RETURN_IF_ERROR(Get(name));
  // Before the weights, which are large: a model that thimble does not run is known by its configuration.
  resumable_ = false;
  THIMBLE_ASSIGN_OR_RETURN(const convert::Config config, convert::ReadConfig(folder_));
  THIMBLE_RETURN_IF_ERROR(weights.status());
  const bool graph = std::any_of(weights->begin(), weights->end(), [](const auto& n) { return n.ends_with(".onnx"); });
  const store::KnownModel* row = store::FindKnownModel(product_.name.Repository());
  const bool known = row != nullptr && row->pooling();
  if (!config.head && !config.classifier && !graph && !product_.options.pooling && !known &&
      !product_.options.unstated_pooling) {
    return convert::UnstatedPooling(What());
  }
  for (const std::string& name : *weights) THIMBLE_RETURN_IF_ERROR(Get(name));
  return Status();
}

Status Fetcher::Count(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    THIMBLE_ASSIGN_OR_RETURN(const HubFile file, FileToGet(listing_, name, What()));
    reporter_.progress().total_bytes += file.size.value_or(0);
  }
  return Status();
}

Status Fetcher::Get(const std::string& name) {
  if (!done_.insert(name).second) return Status();
  resumable_ = false;
  said_ = false;
  THIMBLE_ASSIGN_OR_RETURN(const HubFile file, FileToGet(listing_, name, What()));
  if (name.ends_with(".part") || name.ends_with(".etag")) {  // What partial files are called here.
    return Error(Code::kUnsupported, What(), ": unsupported file name ", name);
  }
  const std::filesystem::path path = folder_ + "/" + name;
  THIMBLE_RETURN_IF_ERROR(MakeFolder(path.parent_path().string()));
  PullProgress& progress = reporter_.progress();
  auto on_bytes = [&](std::uint64_t bytes) {
    progress.bytes = bytes_ + bytes;
    reporter_.GoOn();
  };
  THIMBLE_RETURN_IF_ERROR(client_.Download(repository_, listing_.commit, file, path.string(), on_bytes, &resumable_));
  said_ = true;
  bytes_ = progress.bytes;
  return Status();
}

}  // namespace thimble::hub
