// Gets models: from the Hugging Face hub, from the caches of other programs on this machine, and from folders.
//
//   auto model = thimble::PullModel("sentence-transformers/all-MiniLM-L6-v2", {.dtype = "q8"});
//   if (!model.ok()) return model.status();
//   auto opened = thimble::Model::Open(model->model.path);  // Or OpenModel of cache.h, by the same name.
//
// Link thimble::hub. Nothing else of thimble uses the network.
//
// The environment is that of huggingface_hub: HF_ENDPOINT is the hub's address, https://huggingface.co if not set.
// HF_TOKEN, or the file HF_TOKEN_PATH (token in HF_HOME), is sent to it, and to no other host.
// HF_HUB_OFFLINE=1 or TRANSFORMERS_OFFLINE=1 forbids the network. HF_HUB_CACHE (hub in HF_HOME) is where other programs
// keep models of the hub; HF_HOME is huggingface in XDG_CACHE_HOME or ~/.cache if not set. HF_HUB_DOWNLOAD_TIMEOUT is
// after how many seconds without data a connection is given up, 30 if not set.

#ifndef THIMBLE_HUB_H_
#define THIMBLE_HUB_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "thimble/cache.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble {

struct PullProgress {
  enum class Stage {
    kWaiting,      // For another process that gets the same model.
    kDownloading,  // `bytes` of `total_bytes` are there.
    kConverting,   // `share` of the model is written.
  };
  Stage stage = Stage::kWaiting;
  std::uint64_t bytes = 0;
  std::uint64_t total_bytes = 0;  // Of all files together; 0 while that is not known.
  double share = 0;               // From 0 to 1.
};

struct PullOptions {
  std::string dtype = "q8";
  // A branch, a tag or a commit, the same as behind the @ of a name. Empty means main where the name has none.
  std::string revision = {};
  // Where models are; empty means CacheFolder() of cache.h.
  std::string folder = {};
  // What the model is to be called, [ORGANISATION/]NAME; empty means as it is called on the hub, or the last component
  // of a folder's path.
  std::string name = {};
  // For a source that does not state how its tokens are pooled, or whether vectors are normalised. A source that states
  // something else is an error, and so is a source that states nothing while `pooling` is unset.
  std::optional<Pooling> pooling = {};
  std::optional<bool> normalize = {};
  // Converts a source that states no pooling all the same: every call must then name the pooling.
  bool unstated_pooling = false;
  // Called with a sentence for people on each thing that was assumed during a conversion; may be empty.
  std::function<void(std::string_view)> note = {};
  // Makes the model again, whatever is in the folder; of one on the hub, gets it again.
  bool force = false;
  // Takes only what is on this machine.
  bool local_files_only = false;
  // More folders in which models of the hub lie as FOLDER/ORGANISATION/NAME, as transformers.js keeps them.
  std::vector<std::string> local_folders = {};
  // Called several times a second, from the thread that called PullModel; may be empty. False ends the pull, which a
  // later one continues.
  std::function<bool(const PullProgress&)> progress = {};
};

struct PulledModel {
  NamedModel model;
  bool downloaded = false;  // Not when it was there already, nor when it came from a folder.
};

// Makes the model `model` unless it is there. The first of these that there is is converted:
//
// - The folder, where `model` is a path. It gets its name in FOLDER unless the call is for local files only, which
//   keeps the result for whoever opens the same path.
// - The snapshot of that revision in the cache of huggingface_hub. The model is then kept by its name.
// - A folder ORGANISATION/NAME in `local_folders`, in the cache of transformers.js (.cache of @huggingface/transformers
//   or @xenova/transformers in a node_modules of the working directory or above it) or in ./models. The result is kept
//   for that folder. Weights rounded to 8 or 4 bits are passed over where the network may be asked.
// - The repository on the hub. Takes disk for the weights meanwhile.
//
// Thread-safe; processes that pull the same model at once do it once.
//
// kInvalidArgument for an impossible name, dtype, revision or environment, for a bare name that is not known or that
// several organisations have, and when a folder's model would replace one of the same name that was not made of it;
// kNotFound when there is no such model, revision, folder or file, or when it is not on this machine and the network is
// not allowed; kOverloaded when the hub is busy; kIo when the network, the hub or the disk fails, when a token is
// missing, or when `progress` ended it; kCorrupt when what came is not what the hub says; kUnsupported without libcurl,
// on Windows, and for a model that thimble does not run; else the errors of opening and writing files.
Result<PulledModel> PullModel(const std::string& model, const PullOptions& options = {});

}  // namespace thimble

#endif  // THIMBLE_HUB_H_
