// From names and folders to files.

#include "thimble/cache.h"

#include <filesystem>
#include <system_error>

#include "base/environment.h"
#include "base/error.h"
#include "base/guard.h"
#include "base/path.h"
#include "format/dtypes.h"
#include "store/folder.h"
#include "store/lookup.h"
#include "store/name.h"
#include "store/source_folder.h"

namespace thimble::store {

bool IsFolder(std::string_view model) {
  if (IsFileOrMock(model)) return false;
  if (IsWrittenAsPath(model)) return true;
  std::error_code ignored;
  return !ParseName(model).ok() && std::filesystem::is_directory(base::ToPath(std::string(model)), ignored);
}

Result<std::string> Lookup(std::string_view model, std::string_view dtype, const std::string& folder) {
  if (IsFileOrMock(model)) return std::string(model);
  if (IsFolder(model)) {
    std::error_code ignored;
    const std::string path(model);
    if (std::filesystem::is_regular_file(base::ToPath(path), ignored)) return path;
    THIMBLE_ASSIGN_OR_RETURN(const std::string home, FolderOrDefault(folder));
    return FindInFolder(path, DtypeOrDefault(dtype), home);
  }
  THIMBLE_ASSIGN_OR_RETURN(const ModelName name, ParseName(model));
  THIMBLE_RETURN_IF_ERROR(format::ParseDtype(DtypeOrDefault(dtype)).status());
  THIMBLE_ASSIGN_OR_RETURN(const std::string home, FolderOrDefault(folder));
  return FindFile(name, DtypeOrDefault(dtype), home);
}

}  // namespace thimble::store

namespace thimble::inline v0_1 {

std::string CacheFolder() {
  using base::Environment;
  if (std::string home = Environment("THIMBLE_HOME"); !home.empty()) return home;
  // A relative path there is to be ignored, says the specification.
  if (std::string cache = Environment("XDG_CACHE_HOME"); base::ToPath(cache).is_absolute()) return cache + "/thimble";
#ifdef _WIN32
  constexpr const char* kHome = "USERPROFILE";
#else
  constexpr const char* kHome = "HOME";
#endif
  if (std::string home = Environment(kHome); !home.empty()) return home + "/.cache/thimble";
  return "";
}

bool IsModelName(std::string_view model) { return store::ParseName(model).ok(); }

Result<std::string> ModelPath(std::string_view model, std::string_view dtype, const std::string& folder) {
  return base::Guarded([&]() -> Result<std::string> {
    Result<std::string> found = store::Lookup(model, dtype, folder);
    if (found.ok() || found.status().code() != Code::kNotFound) return found;
    const Result<store::ModelName> name = store::ParseName(model);
    const Result<std::string> home = store::FolderOrDefault(folder);
    return name.ok() && home.ok() ? store::PathOf(*name, store::DtypeOrDefault(dtype), *home) : found;
  });
}

}  // namespace thimble::inline v0_1
