// What lies in a folder of models.
//
//   FOLDER/NAME-DTYPE.safetensors    a model
//   FOLDER/.pull/NAME.lock           held while the model is pulled
//   FOLDER/.pull/NAME.files/         what came so far

#ifndef THIMBLE_HUB_FOLDER_H_
#define THIMBLE_HUB_FOLDER_H_

#include <optional>
#include <string>
#include <string_view>

#include "thimble/hub.h"
#include "thimble/status.h"

namespace thimble::hub {

// Metadata of a model file: the repository of the hub that it is from, and the commit.
inline constexpr const char* kRepositoryKey = "source.repository";
inline constexpr const char* kRevisionKey = "source.revision";

// CacheFolder() if `folder` is empty. kNotFound where there is none.
Result<std::string> FolderOrDefault(const std::string& folder);

// The model file FOLDER/NAME-DTYPE.safetensors; nullopt when there is none, or when it is no model file of this
// version.
std::optional<NamedModel> FindModel(const std::string& folder, std::string_view name, std::string_view dtype);

std::string PullFolder(const std::string& folder);
std::string LockPath(const std::string& folder, std::string_view name);
std::string FilesPath(const std::string& folder, std::string_view name);

}  // namespace thimble::hub

#endif  // THIMBLE_HUB_FOLDER_H_
