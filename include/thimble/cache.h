// Models with a name, and models from folders: where they are stored, how to open, list and remove them.
//
//   auto model = thimble::OpenModel("sentence-transformers/all-MiniLM-L6-v2", "q8");
//   if (!model.ok()) return model.status();  // If the model is missing, names the command that gets it.
//   std::printf("%zu dimensions\n", (*model)->dimensions());
//
// A model has a name, [ORGANISATION/]NAME[@REVISION] as on the Hugging Face hub. Organisation and revision (a branch, a
// tag or a commit; main if not given) are part of it. Case does not matter. A bare name opens the model of that name if
// there is only one. The names in src/store/known_models.cc refer to one model each.
//
// Or it has a path: of a folder in the layout of Hugging Face, or of a folder with a model file NAME-DTYPE.safetensors,
// beginning with a slash, "./" or "../"; or of a model file, which ends in .safetensors. A folder must be converted
// once, with `thimble pull FOLDER` or PullModel of hub.h, and again when its files have changed.

#ifndef THIMBLE_CACHE_H_
#define THIMBLE_CACHE_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "thimble/export.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::inline v0_1 {

// The folder of named models: THIMBLE_HOME in the environment, or thimble in XDG_CACHE_HOME, or .cache/thimble in HOME
// (on Windows in USERPROFILE). Empty if none of them is set.
THIMBLE_API std::string CacheFolder();

// Whether `model` can be a name: "all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2", "acme/tiny@v2". Names
// consist of letters, digits and . _ - and do not begin with a dot; paths, mocks and anything that ends in .safetensors
// are not names.
THIMBLE_API bool IsModelName(std::string_view model);

// The file of a model: the file that OpenModel opens for a name or a folder, or for a missing name, the file that
// PullModel would write: FOLDER/[ORGANISATION/]NAME[@REVISION]-DTYPE.safetensors. FOLDER is `folder`, or CacheFolder()
// if empty; DTYPE is `dtype`, or q8 if empty. Paths of model files, mock and mock-hashed are returned unchanged.
// kInvalidArgument for anything else, for an unknown dtype, and for a bare name that several organisations have;
// kNotFound without FOLDER, and for a path without a folder or whose folder was not converted.
THIMBLE_API Result<std::string> ModelPath(std::string_view model, std::string_view dtype = {},
                                          const std::string& folder = {});

// Model::Open of that file. kNotFound states what was looked for, what exists, and the command that gets the model;
// kInvalidArgument for a dtype that the file of a path does not have. A mock stands for every dtype.
THIMBLE_API Result<std::shared_ptr<const Model>> OpenModel(std::string_view model, std::string_view dtype = {},
                                                           const std::string& folder = {},
                                                           const OpenOptions& options = {});

// A model in the cache.
struct NamedModel {
  std::string name;  // NAME[@REVISION], or the path of its source folder.
  std::string dtype;
  std::string path;
  std::uint64_t bytes = 0;
  std::string organisation;                    // Empty when none is recorded.
  std::string repository;                      // On the hub, with organisation; empty if it is not from the hub.
  std::string revision;                        // The commit; empty with `repository`.
  std::chrono::system_clock::time_point used;  // When the file was last read, if the file system records it.
};

// The models in `folder`, CacheFolder() if empty, by name and dtype, then those from folders; none if the folder does
// not exist. kIo if it cannot be read.
THIMBLE_API Result<std::vector<NamedModel>> ListModels(const std::string& folder = {});

// Removes a model, or with an empty dtype every dtype of it, and the files of interrupted pulls, from `folder`. `name`
// is a name or path as for OpenModel; for a folder, this removes the models made from it, not the folder. Returns what
// it removed. kNotFound if that is nothing; kInvalidArgument for an invalid name and for a bare name that several
// organisations have; kIo.
THIMBLE_API Result<std::vector<NamedModel>> RemoveModel(std::string_view name, std::string_view dtype = {},
                                                        const std::string& folder = {});

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_CACHE_H_
