// Lists and removes models.

#include "hub/folder.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "convert/convert.h"
#include "format/reader.h"
#include "hub/file_lock.h"
#include "runtime/model_name.h"
#include "thimble/cache.h"

namespace thimble {
namespace hub {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".safetensors";

// NAME and DTYPE of a file's name. A dtype may have a dash in it, so that the longest one counts.
std::optional<std::pair<std::string, std::string>> SplitFileName(std::string_view file) {
  if (!file.ends_with(kSuffix)) return std::nullopt;
  file.remove_suffix(kSuffix.size());
  for (std::size_t dash = file.find('-'); dash != std::string_view::npos; dash = file.find('-', dash + 1)) {
    const std::string_view name = file.substr(0, dash), dtype = file.substr(dash + 1);
    if (convert::ParseDtype(dtype).ok() && IsModelName(name)) return std::pair(std::string(name), std::string(dtype));
  }
  return std::nullopt;
}

std::chrono::system_clock::time_point LastUse(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) return {};
  // A file that was never read has been written.
  return std::chrono::system_clock::from_time_t(std::max(status.st_atime, status.st_mtime));
}

Result<std::vector<NamedModel>> List(const std::string& folder) {
  std::vector<NamedModel> models;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const auto parts = SplitFileName(entry->path().filename().string());
    std::error_code ignored;
    if (!parts || !entry->is_regular_file(ignored)) continue;
    if (std::optional<NamedModel> model = FindModel(folder, parts->first, parts->second)) {
      models.push_back(*std::move(model));
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return Error(Code::kIo, "cannot read ", folder, ": ", error.message());
  }
  std::sort(models.begin(), models.end(), [](const NamedModel& a, const NamedModel& b) {
    return std::pair(a.name, a.dtype) < std::pair(b.name, b.dtype);
  });
  return models;
}

Result<std::vector<NamedModel>> Remove(std::string_view name, std::string_view dtype, const std::string& folder) {
  if (!IsModelName(name)) {
    return Error(Code::kInvalidArgument, "model \"", name, "\": expected a name such as all-MiniLM-L6-v2");
  }
  if (!dtype.empty()) THIMBLE_RETURN_IF_ERROR(convert::ParseDtype(dtype).status());
  const std::string_view wanted = FileName(name);
  THIMBLE_ASSIGN_OR_RETURN(std::vector<NamedModel> models, List(folder));
  std::erase_if(models, [&](const NamedModel& model) {
    return model.name != wanted || (!dtype.empty() && model.dtype != dtype);
  });
  std::error_code error;
  for (const NamedModel& model : models) {
    if (!fs::remove(model.path, error) && error) {
      return Error(Code::kIo, "cannot remove ", model.path, ": ", error.message());
    }
  }
  const std::string files = FilesPath(folder, wanted);
  bool removed = false;
  if (fs::exists(files, error)) {
    const Result<FileLock> lock = FileLock::Acquire(LockPath(folder, wanted), [] { return false; });
    if (lock.ok()) removed = fs::remove_all(files, error) > 0;  // Else they belong to a pull that is going on.
    if (error) return Error(Code::kIo, "cannot remove ", files, ": ", error.message());
  }
  fs::remove(PullFolder(folder), error);  // Where it is empty.
  if (models.empty() && !removed) {
    return Error(Code::kNotFound, "model \"", name, "\"", dtype.empty() ? "" : " with dtype ", dtype,
                 ": there is none in ", folder, "; thimble list shows what is there");
  }
  return models;
}

}  // namespace

Result<std::string> FolderOrDefault(const std::string& folder) {
  std::string found = folder.empty() ? CacheFolder() : folder;
  if (!found.empty()) return found;
  return Error(Code::kNotFound, "no folder is given, and none of THIMBLE_HOME, XDG_CACHE_HOME and HOME is set");
}

std::optional<NamedModel> FindModel(const std::string& folder, std::string_view name, std::string_view dtype) {
  const Result<std::string> path = ModelPath(name, dtype, folder);
  if (!path.ok()) return std::nullopt;
  const auto used = LastUse(*path);  // Before it is read here.
  const Result<format::Reader> reader = format::Reader::Open(*path);
  if (!reader.ok()) return std::nullopt;
  NamedModel model;
  model.name = FileName(name);
  model.dtype = dtype;
  model.path = *path;
  model.bytes = reader->file_bytes();
  model.repository = reader->Metadata(kRepositoryKey).value_or("");
  model.revision = reader->Metadata(kRevisionKey).value_or("");
  model.used = used;
  return model;
}

std::string PullFolder(const std::string& folder) { return folder + "/.pull"; }
std::string LockPath(const std::string& folder, std::string_view name) {
  return PullFolder(folder) + "/" + std::string(name) + ".lock";
}
std::string FilesPath(const std::string& folder, std::string_view name) {
  return PullFolder(folder) + "/" + std::string(name) + ".files";
}

}  // namespace hub

Result<std::vector<NamedModel>> ListModels(const std::string& folder) {
  return Guarded([&]() -> Result<std::vector<NamedModel>> {
    THIMBLE_ASSIGN_OR_RETURN(std::string found, hub::FolderOrDefault(folder));
    return hub::List(found);
  });
}

Result<std::vector<NamedModel>> RemoveModel(std::string_view name, std::string_view dtype, const std::string& folder) {
  return Guarded([&]() -> Result<std::vector<NamedModel>> {
    THIMBLE_ASSIGN_OR_RETURN(std::string found, hub::FolderOrDefault(folder));
    return hub::Remove(name, dtype, found);
  });
}

}  // namespace thimble
