// Models that have a name or are made of a folder: where they are kept, opening them, and what is there.
//
//   auto model = thimble::OpenModel("sentence-transformers/all-MiniLM-L6-v2", "q8");
//   if (!model.ok()) return model.status();  // Says which command gets the model where it is missing.
//   std::printf("%zu dimensions\n", (*model)->dimensions());
//
// A model is named by [ORGANISATION/]NAME[@REVISION], as on the Hugging Face hub: the organisation and the revision (a
// branch, a tag or a commit; main if not given) are part of what it is. Names compare without case. A bare name opens
// the one there is. The names in src/store/known_models.json stand for one model each.
//
// Or by a path, which begins with a slash, "./" or "../": of a folder in the layout of Hugging Face, or of a folder
// where a model file NAME-DTYPE.safetensors lies; or of a model file, which ends in .safetensors. A folder has to be
// converted once, by `thimble pull FOLDER` or PullModel of hub.h, and again when its files have changed.

#ifndef THIMBLE_CACHE_H_
#define THIMBLE_CACHE_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble {

// The folder of models that have a name: the environment's THIMBLE_HOME, or thimble in XDG_CACHE_HOME, or
// .cache/thimble in HOME (on Windows in USERPROFILE). Empty when none of them is set.
std::string CacheFolder();

// Whether `model` can be the name of a model: "all-MiniLM-L6-v2", "sentence-transformers/all-MiniLM-L6-v2",
// "acme/tiny@v2". A name has letters, digits and . _ - in it, and does not begin with a dot; paths, mocks and what ends
// in .safetensors have none.
bool IsModelName(std::string_view model);

// The file of a model: for a name or a folder the one that OpenModel opens, or else, for a name, where PullModel puts
// it: FOLDER/[ORGANISATION/]NAME[@REVISION]-DTYPE.safetensors. FOLDER is `folder`, or CacheFolder() where that is
// empty. The path of a model file, mock and mock-hashed stay as they are. kInvalidArgument for anything else, for an
// impossible dtype, and for a bare name that several organisations have; kNotFound without a folder, and for a path
// where there is no folder or none that was converted.
Result<std::string> ModelPath(std::string_view model, std::string_view dtype = "q8", const std::string& folder = {});

// Model::Open of that file. kNotFound says what was looked for, what is there, and which command gets the model.
Result<std::shared_ptr<const Model>> OpenModel(std::string_view model, std::string_view dtype = "q8",
                                               const std::string& folder = {});

// A model that is kept.
struct NamedModel {
  std::string name;  // NAME[@REVISION], or the path of the folder that it was made of.
  std::string dtype;
  std::string path;
  std::uint64_t bytes = 0;
  std::string organisation;                    // Empty when none is recorded.
  std::string repository;                      // Of the hub, with its organisation; empty when it is not from there.
  std::string revision;                        // The commit; empty with `repository`.
  std::chrono::system_clock::time_point used;  // When the file was last read, as far as its file system says.
};

// The models in `folder`, CacheFolder() if empty, by name and dtype, then those made of folders; none where there is no
// such folder. kIo when it cannot be read.
Result<std::vector<NamedModel>> ListModels(const std::string& folder = {});

// Removes a model from `folder`, or, with an empty dtype, every dtype of it, and what an interrupted pull of it left.
// `name` is what would open it; that of a folder removes what was made of it, and not the folder. Returns what was
// removed. kNotFound when nothing was; kInvalidArgument for an impossible name, and for a bare one that several
// organisations have; kIo.
Result<std::vector<NamedModel>> RemoveModel(std::string_view name, std::string_view dtype = {},
                                            const std::string& folder = {});

}  // namespace thimble

#endif  // THIMBLE_CACHE_H_
