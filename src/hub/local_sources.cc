// Looks into the caches of huggingface_hub and of transformers.js.

#include "hub/local_sources.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "hub/settings.h"
#include "json/json_file.h"
#include "store/known_models.h"
#include "store/source_folder.h"

namespace thimble::hub {
namespace {

namespace fs = std::filesystem;

bool IsFolder(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

// The folder `name` in `folder`, in any case of letters, exactly that one if it is there; empty when there is none.
std::string Child(const std::string& folder, const std::string& name) {
  if (IsFolder(folder + "/" + name)) return folder + "/" + name;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string path = entry->path().string();
    if (store::SameWithoutCase(entry->path().filename().string(), name) && IsFolder(path)) return path;
  }
  return "";
}

// models--ORGANISATION--NAME/refs/REVISION holds a commit, and snapshots/COMMIT is what the repository was then.
void AddSnapshot(const std::string& folder, const std::string& repository, const std::string& revision,
                 std::vector<LocalSource>& sources) {
  constexpr std::size_t kMaxRefBytes = 256;
  std::string commit = revision;
  const std::string ref = folder + "/refs/" + (revision.empty() ? "main" : revision);
  if (Result<std::string> text = json::ReadFile(ref, kMaxRefBytes); text.ok()) {
    commit = *std::move(text);
    while (commit.ends_with('\n')) commit.pop_back();
  }
  if (!store::IsCommit(commit)) return;
  const std::string path = folder + "/snapshots/" + commit;
  if (store::IsSource(path)) sources.push_back({path, repository, commit});
}

Status AddFromHubCache(const store::ModelName& name, const std::vector<std::string>& repositories,
                       std::vector<LocalSource>& sources, std::vector<std::string>& looked) {
  constexpr std::string_view kPrefix = "models--", kSeparator = "--";
  const std::string cache = HubCache();
  if (cache.empty()) return Status();
  looked.push_back(cache);
  for (const std::string& repository : repositories) {
    const std::size_t slash = repository.find('/');
    const std::string folder = Child(cache, std::string(kPrefix) + repository.substr(0, slash) +
                                                std::string(kSeparator) + repository.substr(slash + 1));
    if (!folder.empty()) AddSnapshot(folder, repository, name.revision, sources);
  }
  if (!repositories.empty()) return Status();
  std::error_code error;
  for (fs::directory_iterator entry(cache, error), end; !error && entry != end; entry.increment(error)) {
    const std::string file = entry->path().filename().string();
    const std::size_t separator = file.find(kSeparator, kPrefix.size());
    if (!file.starts_with(kPrefix) || separator == std::string::npos) continue;
    const std::string found = file.substr(separator + kSeparator.size());
    const std::string organisation = file.substr(kPrefix.size(), separator - kPrefix.size());
    if (!store::SameWithoutCase(found, name.name) || !store::ParseName(organisation + "/" + found).ok()) continue;
    AddSnapshot(entry->path().string(), organisation + "/" + found, name.revision, sources);
  }
  if (sources.size() < 2) return Status();
  return Error(Code::kInvalidArgument, "model \"", name.Text(), "\": ", cache, " has ", sources[0].repository, " and ",
               sources[1].repository, "; use one of these names");
}

// FOLDER/ORGANISATION/NAME, and another revision than main in a folder of its own inside.
void AddFromFolder(const std::string& folder, const store::ModelName& name,
                   const std::vector<std::string>& repositories, std::vector<LocalSource>& sources,
                   std::vector<std::string>& looked) {
  if (!IsFolder(folder)) return;
  looked.push_back(folder);
  for (const std::string& repository : repositories) {
    const std::size_t slash = repository.find('/');
    std::string path = Child(folder, repository.substr(0, slash));
    if (!path.empty()) path = Child(path, repository.substr(slash + 1));
    if (!path.empty() && !name.revision.empty()) path += "/" + name.revision;
    if (!path.empty() && store::IsSource(path)) sources.push_back({path, "", ""});
  }
}

}  // namespace

std::vector<std::string> RepositoriesOf(const store::ModelName& name) {
  const store::KnownModel* known = store::FindKnownModel(name.Repository());
  if (known == nullptr) return name.organisation.empty() ? std::vector<std::string>() : std::vector{name.Repository()};
  std::vector<std::string> repositories = {std::string(std::string_view(known->repository))};
  for (const std::string_view alias : known->aliases()) repositories.emplace_back(alias);
  return repositories;
}

Result<std::vector<LocalSource>> FindLocalSources(const store::ModelName& name, const std::vector<std::string>& folders,
                                                  std::vector<std::string>& looked) {
  const std::vector<std::string> repositories = RepositoriesOf(name);
  std::vector<LocalSource> sources;
  THIMBLE_RETURN_IF_ERROR(AddFromHubCache(name, repositories, sources, looked));
  for (const std::string& folder : folders) AddFromFolder(folder, name, repositories, sources, looked);
  std::error_code error;
  const fs::path here = fs::current_path(error);
  for (fs::path folder = here; !error && !folder.empty(); folder = folder.parent_path()) {
    for (const char* package : {"@huggingface", "@xenova"}) {
      const fs::path library = folder / "node_modules" / package / "transformers";
      for (const char* place : {"models", ".cache"}) {
        AddFromFolder((library / place).string(), name, repositories, sources, looked);
      }
    }
    if (folder == folder.parent_path()) break;
  }
  AddFromFolder("models", name, repositories, sources, looked);
  return sources;
}

}  // namespace thimble::hub
