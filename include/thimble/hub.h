// Gets and converts models from the Hugging Face hub, from caches of other programs, and from folders.
//
//   auto model = thimble::PullModel("sentence-transformers/all-MiniLM-L6-v2", {.dtype = "q8"});
//   if (!model.ok()) return model.status();
//   auto opened = thimble::Model::Open(model->model.path);  // Or OpenModel of cache.h, by the same name.
//
// Link thimble::hub. Nothing else of thimble uses the network.
//
// The environment is that of huggingface_hub. HF_ENDPOINT is the address of the hub, by default https://huggingface.co.
// HF_TOKEN, or the content of HF_TOKEN_PATH (by default token in HF_HOME), is sent to that host only. HF_HUB_OFFLINE=1
// or TRANSFORMERS_OFFLINE=1 forbids the network. HF_HUB_CACHE (by default hub in HF_HOME) is the cache of
// huggingface_hub; HF_HOME is by default huggingface in XDG_CACHE_HOME or ~/.cache. HF_HUB_DOWNLOAD_TIMEOUT is the
// number of seconds without data after which a connection counts as broken, by default 30.

#ifndef THIMBLE_HUB_H_
#define THIMBLE_HUB_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "thimble/cache.h"
#include "thimble/export.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::inline v0_1 {

struct PullProgress {
  enum class Stage {
    kWaiting,      // For another process that pulls the same model.
    kDownloading,  // `bytes` of `total_bytes` are downloaded.
    kConverting,   // `share` of the model is written.
  };
  Stage stage = Stage::kWaiting;
  std::uint64_t bytes = 0;
  std::uint64_t total_bytes = 0;  // Of all files together; 0 while unknown.
  double share = 0;               // From 0 to 1.
};

struct PullOptions {
  std::string dtype = "q8";
  // A branch, a tag or a commit, as after the @ of a name. Empty means that of the name, or main.
  std::string revision = {};
  // Folder of models; empty means CacheFolder() of cache.h.
  std::string folder = {};
  // Name to give to the model, [ORGANISATION/]NAME; empty means its name on the hub, or the last component of a
  // folder's path.
  std::string name = {};
  // For a source that does not state its pooling or normalisation. It is an error to contradict a source, or to leave
  // `pooling` unset if the source does not state it.
  std::optional<Pooling> pooling = {};
  std::optional<bool> normalize = {};
  // Also converts a source that does not state its pooling; every call must then set it.
  bool unstated_pooling = false;
  // Called with a human-readable sentence for each assumption made during the conversion; may be empty.
  std::function<void(std::string_view)> note = {};
  // Converts the model even if it exists; for a model on the hub, downloads it again.
  bool force = false;
  // Uses only what is on this machine.
  bool local_files_only = false;
  // Further folders with models as FOLDER/ORGANISATION/NAME, the layout of transformers.js.
  std::vector<std::string> local_folders = {};
  // Called several times a second, from the thread that called PullModel; may be empty. Returning false aborts the
  // pull, which a later one resumes.
  std::function<bool(const PullProgress&)> progress = {};
};

struct PulledModel {
  NamedModel model;
  bool downloaded = false;  // False if it existed or came from this machine.
};

// Makes the model `model` unless it exists. Converts the first of these sources that exists:
//
// - The folder, if `model` is a path. The model gets the folder's name in FOLDER, or with local_files_only is stored
// for users of the same path.
// - The snapshot of that revision in the cache of huggingface_hub. The model is then stored under its name.
// - A folder ORGANISATION/NAME in `local_folders`, in the cache of transformers.js (.cache of @huggingface/transformers
// or @xenova/transformers in a node_modules of the working directory or above it) or in ./models. The result is stored
// for that folder. Weights rounded to 8 or 4 bits are skipped if the network is allowed.
// - The repository on the hub. The download takes disk space until the conversion is complete.
//
// The file's weights must have the hash that it records, whether it was made now or before; `note` is told of an older
// file that records none.
//
// Thread-safe. If several processes pull the same model at once, one of them does the work.
//
// kInvalidArgument for an invalid name, dtype, revision or environment, for a bare name that is unknown or that several
// organisations have, and if a model from a folder would replace one of the same name from elsewhere; kNotFound if the
// model, revision, folder or file does not exist, or is not on this machine and the network is not allowed; kOverloaded
// if the hub is busy; kIo if the network, the hub or the disk fails, a token is missing, or `progress` aborted the
// pull; kCorrupt if a download does not match what the hub states, and for a model file
// that is damaged, which `force` replaces; kUnsupported without libcurl, on Windows, and for
// models that thimble does not support; otherwise the errors of opening and writing files.
THIMBLE_API Result<PulledModel> PullModel(const std::string& model, const PullOptions& options = {});

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_HUB_H_
