// The way of a model from the hub, or from a folder, into the folder of models.

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "convert/config.h"
#include "convert/convert.h"
#include "hub/client.h"
#include "hub/file_lock.h"
#include "hub/folder.h"
#include "hub/known_models.h"
#include "hub/listing.h"
#include "hub/settings.h"
#include "runtime/model_name.h"
#include "thimble/cache.h"
#include "thimble/hub.h"

namespace thimble {
namespace hub {
namespace {

namespace fs = std::filesystem;
using Stage = PullProgress::Stage;

// Tells the caller how far the pull is, a few times a second, and remembers its wish to end it.
class Reporter {
 public:
  explicit Reporter(const std::function<bool(const PullProgress&)>& report) : report_(report) {}

  PullProgress& progress() { return progress_; }
  // Changes the stage.
  void Enter(Stage stage) {
    progress_.stage = stage;
    last_ = {};
    GoOn();
  }
  // Reports if it is time to; whether to go on.
  bool GoOn() {
    constexpr std::chrono::milliseconds kInterval{50};
    const auto now = std::chrono::steady_clock::now();
    if (report_ && go_on_ && now - last_ >= kInterval) {
      last_ = now;
      go_on_ = report_(progress_);
    }
    return go_on_;
  }
  bool ended() const { return !go_on_; }

 private:
  const std::function<bool(const PullProgress&)>& report_;
  PullProgress progress_;
  std::chrono::steady_clock::time_point last_;
  bool go_on_ = true;
};

// What is to be pulled.
struct Task {
  convert::Dtype dtype;
  std::string dtype_name;
  std::string name;        // As its file will be called by.
  std::string source;      // A folder on this machine; empty for the hub.
  std::string repository;  // ORGANISATION/NAME; empty for a folder.
  std::string revision;
  std::string folder;
  std::string path;            // Of the model file.
  convert::Defaults defaults;  // What is known of it.
  bool force = false;
};

bool IsFolder(const std::string& name) {
  return name == "." || name == ".." || name.starts_with('/') || name.starts_with("./") || name.starts_with("../");
}

Result<Task> TaskOf(const std::string& name, const PullOptions& options) {
  Task task;
  THIMBLE_ASSIGN_OR_RETURN(task.dtype, convert::ParseDtype(options.dtype));
  task.dtype_name = options.dtype;
  task.revision = options.revision;
  task.force = options.force;
  THIMBLE_ASSIGN_OR_RETURN(task.folder, FolderOrDefault(options.folder));
  if (IsFolder(name)) {
    std::error_code error;
    const fs::path source = fs::canonical(name, error);
    if (error) return Error(Code::kNotFound, name, ": ", error.message());
    if (!task.revision.empty()) return Error(Code::kInvalidArgument, "a folder has no revision");
    task.source = source.string();
    task.name = source.filename().string();
    if (!IsModelName(task.name) || task.name.find('/') != std::string::npos) {
      return Error(Code::kInvalidArgument, task.source, ": a model cannot have the name \"", task.name, "\"");
    }
  } else {
    if (!IsModelName(name)) {
      return Error(Code::kInvalidArgument, "model \"", name,
                   "\": expected ORGANISATION/NAME, or a folder such as ./all-MiniLM-L6-v2");
    }
    const KnownModel* known = FindKnownModel(name);
    task.name = FileName(name);
    task.repository = known == nullptr ? name : known->repository;
    if (task.repository.find('/') == std::string::npos) {
      return Error(Code::kInvalidArgument, "model \"", name,
                   "\" is not among the known ones: expected its organisation ", "before it, ORGANISATION/", name);
    }
  }
  task.defaults = KnownDefaults(task.repository.empty() ? task.name : task.repository);
  THIMBLE_ASSIGN_OR_RETURN(task.path, ModelPath(task.name, task.dtype_name, task.folder));
  return task;
}

// The model if what is in the folder is what the task is after, as far as can be told without the hub; kInvalidArgument
// when another one has its name.
Result<std::optional<NamedModel>> FindThere(const Task& task) {
  std::optional<NamedModel> model = FindModel(task.folder, task.name, task.dtype_name);
  if (!model || task.force) return std::optional<NamedModel>();
  if (model->repository != task.repository && !model->repository.empty()) {
    return Error(Code::kInvalidArgument, model->path, " is ", model->repository, ", not ",
                 task.repository.empty() ? task.source : task.repository, "; force replaces it");
  }
  if (!task.source.empty()) return std::optional<NamedModel>();  // A folder may have changed.
  if (model->repository.empty() && !task.revision.empty()) {
    return Error(Code::kInvalidArgument, model->path, " is not from the hub; force replaces it");
  }
  if (task.revision.empty() || task.revision == model->revision) return model;
  return std::optional<NamedModel>();
}

Status MakeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  return error ? Error(Code::kIo, "cannot make ", path, ": ", error.message()) : Status();
}

// Converts a Hugging Face folder into FILES, and moves the result to its place.
Status ConvertInto(const Task& task, const std::string& source, const std::string& files, const std::string& commit,
                   Reporter& reporter) {
  const std::string made = files + "/" + fs::path(task.path).filename().string();
  convert::Options options;
  options.dtype = task.dtype;
  options.name = task.name;
  options.defaults = task.defaults;
  if (!task.repository.empty()) options.metadata = {{kRepositoryKey, task.repository}, {kRevisionKey, commit}};
  options.progress = [&](double share) {
    reporter.progress().share = share;
    return reporter.GoOn();
  };
  reporter.Enter(Stage::kConverting);
  THIMBLE_RETURN_IF_ERROR(convert::Convert(source, made, options));
  std::error_code error;
  fs::rename(made, task.path, error);
  return error ? Error(Code::kIo, "cannot rename to ", task.path, ": ", error.message()) : Status();
}

// Gets the files of a listing into `folder`. `*resumable` says whether a failure leaves something to go on from.
Status Fetch(const Task& task, const Listing& listing, const std::string& folder, Client& client, Reporter& reporter,
             bool* resumable) {
  PullProgress& progress = reporter.progress();
  for (const HubFile& file : listing.files) progress.total_bytes += file.size.value_or(0);
  std::uint64_t done = 0;
  for (const HubFile& file : listing.files) {
    const fs::path path = folder + "/" + std::string(file.name);
    *resumable = false;
    THIMBLE_RETURN_IF_ERROR(MakeFolder(path.parent_path().string()));
    if (&file == &listing.files.back()) {
      // Before the weights, which are large: a model that thimble does not run is known by its configuration.
      THIMBLE_RETURN_IF_ERROR(convert::ReadConfig(folder).status());
    }
    auto on_bytes = [&](std::uint64_t bytes) {
      progress.bytes = done + bytes;
      reporter.GoOn();
    };
    THIMBLE_RETURN_IF_ERROR(client.Download(task.repository, listing.commit, file, path.string(), on_bytes, resumable));
    done += file.size.value_or(progress.bytes - done);
    progress.bytes = done;
  }
  return Status();
}

Result<PulledModel> PullLocked(const Task& task, Reporter& reporter) {
  const std::string files = FilesPath(task.folder, task.name);
  std::error_code error;
  std::string commit;
  if (!task.source.empty()) {
    fs::remove_all(files, error);
    THIMBLE_RETURN_IF_ERROR(MakeFolder(files));
    Status status = ConvertInto(task, task.source, files, commit, reporter);
    fs::remove_all(files, error);
    THIMBLE_RETURN_IF_ERROR(status);
  } else {
    THIMBLE_ASSIGN_OR_RETURN(Settings settings, ReadSettings());
    if (settings.offline) {
      return Error(Code::kNotFound, "model \"", task.repository, "\" with dtype ", task.dtype_name, " is not in ",
                   task.folder, ", and HF_HUB_OFFLINE is set");
    }
    reporter.Enter(Stage::kDownloading);
    THIMBLE_ASSIGN_OR_RETURN(Client client, Client::Create(std::move(settings), [&] { return reporter.GoOn(); }));
    THIMBLE_ASSIGN_OR_RETURN(Listing listing,
                             client.List(task.repository, task.revision.empty() ? "main" : task.revision));
    commit = listing.commit;
    if (!task.force) {
      std::optional<NamedModel> there = FindModel(task.folder, task.name, task.dtype_name);
      if (there && there->revision == commit) return PulledModel{*std::move(there), false};
    }
    const std::string source = files + "/" + commit;
    for (fs::directory_iterator entry(files, error), end; !error && entry != end; entry.increment(error)) {
      std::error_code ignored;
      if (entry->path() != source) fs::remove_all(entry->path(), ignored);  // Another revision, or half a model.
    }
    bool resumable = false;
    Status status = Fetch(task, listing, source, client, reporter, &resumable);
    const bool fetched = status.ok();
    if (fetched) status = ConvertInto(task, source, files, commit, reporter);
    const bool keep = fetched ? reporter.ended() : resumable;
    if (!keep) fs::remove_all(files, error);
    THIMBLE_RETURN_IF_ERROR(status);
  }
  std::optional<NamedModel> model = FindModel(task.folder, task.name, task.dtype_name);
  if (!model) return Error(Code::kIo, task.path, ": is gone again");
  return PulledModel{*std::move(model), !task.repository.empty()};
}

Result<PulledModel> Pull(const std::string& name, const PullOptions& options) {
  THIMBLE_ASSIGN_OR_RETURN(const Task task, TaskOf(name, options));
  THIMBLE_ASSIGN_OR_RETURN(std::optional<NamedModel> there, FindThere(task));
  if (there) return PulledModel{*std::move(there), false};
  Reporter reporter(options.progress);
  Result<PulledModel> result = [&]() -> Result<PulledModel> {
    THIMBLE_ASSIGN_OR_RETURN(FileLock lock,
                             FileLock::Acquire(LockPath(task.folder, task.name), [&] { return reporter.GoOn(); }));
    THIMBLE_ASSIGN_OR_RETURN(there, FindThere(task));  // Another process may just have made it.
    if (there) return PulledModel{*std::move(there), false};
    return PullLocked(task, reporter);
  }();
  std::error_code error;
  fs::remove(PullFolder(task.folder), error);  // Where it is empty.
  return result;
}

}  // namespace
}  // namespace hub

Result<PulledModel> PullModel(const std::string& name, const PullOptions& options) {
  return Guarded([&] { return hub::Pull(name, options); });
}

}  // namespace thimble
