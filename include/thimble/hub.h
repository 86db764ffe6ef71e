// Gets models from the Hugging Face hub into the folder of models that have a name, and tells what is there.
//
//   auto model = thimble::PullModel("sentence-transformers/all-MiniLM-L6-v2", {.dtype = "q8"});
//   if (!model.ok()) return model.status();
//   auto opened = thimble::Model::Open(model->path);  // Or thimble::OpenModel("all-MiniLM-L6-v2").
//
// Link thimble::hub. Nothing else of thimble uses the network.
//
// The environment: HF_ENDPOINT is the hub's address, https://huggingface.co if not set; HF_TOKEN is sent to it, and to
// no other host; HF_HUB_OFFLINE=1 forbids the network; HF_HUB_DOWNLOAD_TIMEOUT is after how many seconds without data a
// connection is given up, 30 if not set.

#ifndef THIMBLE_HUB_H_
#define THIMBLE_HUB_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

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
  // A branch, a tag or a commit. Empty means main, and any revision that is in the folder already.
  std::string revision = {};
  // Where models are; empty means CacheFolder() of cache.h.
  std::string folder = {};
  // Gets the model again, whatever is in the folder.
  bool force = false;
  // Called several times a second, from the thread that called PullModel; may be empty. False ends the pull, which a
  // later one continues.
  std::function<bool(const PullProgress&)> progress = {};
};

// A model in the folder.
struct NamedModel {
  std::string name;  // Without its organisation.
  std::string dtype;
  std::string path;
  std::uint64_t bytes = 0;
  std::string repository;                      // Of the hub, with its organisation; empty when it is not from there.
  std::string revision;                        // The commit; empty with `repository`.
  std::chrono::system_clock::time_point used;  // When the file was last read, as far as its file system says.
};

struct PulledModel {
  NamedModel model;
  bool downloaded = false;  // Not when it was there already, nor when it came from a folder.
};

// Gets the model `name`, ORGANISATION/NAME on the hub or the bare name of a known model, converts it and keeps it as
// FOLDER/NAME-DTYPE.safetensors, unless it is there. A `name` that begins with "/", "./" or "../" is a Hugging Face
// folder on this machine, which is converted. Takes disk for the weights meanwhile. Thread-safe; processes that pull
// the same model at once download it once.
//
// kInvalidArgument for an impossible name, dtype, revision or environment, and when another repository's model of that
// name is in the folder; kNotFound when the hub has no such model, revision or file, or when the model is not there and
// HF_HUB_OFFLINE is set; kOverloaded when the hub is busy; kIo when the network, the hub or the disk fails, when a
// token is missing, or when `progress` ended it; kCorrupt when what came is not what the hub says; kUnsupported without
// libcurl, on Windows, and for a model that thimble does not run; else the errors of opening and writing files.
Result<PulledModel> PullModel(const std::string& name, const PullOptions& options = {});

// The models in `folder`, CacheFolder() if empty, by name and dtype; none where there is no such folder. kIo when it
// cannot be read.
Result<std::vector<NamedModel>> ListModels(const std::string& folder = {});

// Removes a model from `folder`, or, with an empty dtype, all of that name, and what an interrupted pull of it left.
// Returns what was removed. kNotFound when nothing was; kInvalidArgument for an impossible name; kIo.
Result<std::vector<NamedModel>> RemoveModel(std::string_view name, std::string_view dtype = {},
                                            const std::string& folder = {});

}  // namespace thimble

#endif  // THIMBLE_HUB_H_
