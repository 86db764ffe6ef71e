// What lies in a folder of models:
//
//   FOLDER/[ORGANISATION/]NAME[@REVISION]-DTYPE.safetensors   a model; without an organisation, its metadata may name
//   one FOLDER/.folders/                                          what was made of folders: source_folder.h
//   FOLDER/.pull/KEY.lock                                     held while a model is made
//   FOLDER/.pull/KEY.files/                                   what came so far
//
// KEY is a name in small letters, escaped.

#ifndef THIMBLE_STORE_FOLDER_H_
#define THIMBLE_STORE_FOLDER_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/name.h"
#include "thimble/cache.h"
#include "thimble/status.h"

namespace thimble::store {

// Metadata of a model file: the repository of the hub that it is from, and the commit.
inline constexpr const char* kRepositoryKey = "source.repository";
inline constexpr const char* kRevisionKey = "source.revision";

// CacheFolder() if `folder` is empty. kNotFound where there is none.
Result<std::string> FolderOrDefault(const std::string& folder);

// NAME[@REVISION] and DTYPE of a file's name; nullopt when it is not the name of a model file.
std::optional<std::pair<std::string, std::string>> SplitFileName(std::string_view file);

// Where a model of that name is put.
std::string PathOf(const ModelName& name, std::string_view dtype, const std::string& folder);

// The model file that `name` opens. The organisation and the revision are part of a name: a bare name opens the model
// of that name without an organisation, or else the one there is; a commit opens the revision that was resolved to it.
// A known model is found by all its names. kNotFound with what was looked for, what is there and which command gets the
// model; kInvalidArgument where several organisations have it.
Result<std::string> FindFile(const ModelName& name, std::string_view dtype, const std::string& folder);

// What a model file in `folder` is; nullopt when it is no model file of this version.
std::optional<NamedModel> Describe(const std::string& path, const std::string& folder);

std::string PullFolder(const std::string& folder);
// Removes what pulls that were killed left: locks, and models that did not get their place. What was downloaded stays,
// so that a pull can go on from there.
void SweepPulls(const std::string& folder);
std::string LockPath(const std::string& folder, const ModelName& name);
std::string FilesPath(const std::string& folder, const ModelName& name);

// "thimble pull MODEL --dtype DTYPE", with the folder where it is not the default.
std::string PullCommand(const std::string& model, std::string_view dtype, const std::string& folder);

}  // namespace thimble::store

#endif  // THIMBLE_STORE_FOLDER_H_
