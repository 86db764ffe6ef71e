// The way of a model into the folder of models: from a folder, from another program's cache, or from the hub.

#include <filesystem>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/file_lock.h"
#include "base/guard.h"
#include "base/leftover.h"
#include "convert/folder_files.h"
#include "format/dtypes.h"
#include "hub/client.h"
#include "hub/convert_source.h"
#include "hub/fetcher.h"
#include "hub/listing.h"
#include "hub/local_sources.h"
#include "hub/reporter.h"
#include "hub/settings.h"
#include "store/folder.h"
#include "store/known_models.h"
#include "store/lookup.h"
#include "thimble/hub.h"

namespace thimble::hub {
namespace {

namespace fs = std::filesystem;
using Stage = PullProgress::Stage;

// A model of the hub that is to be made.
struct Task {
  store::ModelName asked;
  Product product;
  std::string repository;  // ORGANISATION/NAME; empty for a bare name that is not known.
};

Result<Product> ProductOf(const PullOptions& options) {
  THIMBLE_RETURN_IF_ERROR(format::ParseDtype(options.dtype).status());
  Product product = {.options = {.dtype = options.dtype,
                                 .pooling = options.pooling,
                                 .normalize = options.normalize,
                                 .unstated_pooling = options.unstated_pooling,
                                 .note = options.note},
                     .force = options.force};
  THIMBLE_ASSIGN_OR_RETURN(product.folder, store::FolderOrDefault(options.folder));
  return product;
}

// The name in the option `name`, which has no revision.
Result<store::ModelName> OptionName(const std::string& text) {
  THIMBLE_ASSIGN_OR_RETURN(store::ModelName name, store::ParseName(text));
  if (text.find('@') == std::string::npos) return name;
  return Error(Code::kInvalidArgument, "`name`: expected a name without a revision, found \"", text, "\"");
}

// Names the product after a repository, in the folder that its organisation has already.
void NameAfter(const std::string& repository, Task& task) {
  task.repository = repository;
  store::ModelName& name = task.product.name;
  name.organisation = repository.substr(0, repository.find('/'));
  name.name = repository.substr(repository.find('/') + 1);
  std::error_code error;
  for (fs::directory_iterator entry(task.product.folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string found = entry->path().filename().string();
    if (store::SameWithoutCase(found, name.organisation)) name.organisation = found;
  }
}

Result<Task> TaskOf(const std::string& model, const PullOptions& options) {
  Task task;
  THIMBLE_ASSIGN_OR_RETURN(task.product, ProductOf(options));
  THIMBLE_ASSIGN_OR_RETURN(task.asked, store::ParseName(model, options.revision));
  task.product.name = task.asked;
  if (const std::vector<std::string> repositories = RepositoriesOf(task.asked); !repositories.empty()) {
    NameAfter(repositories[0], task);
  }
  if (!options.name.empty()) {
    THIMBLE_ASSIGN_OR_RETURN(task.product.name, OptionName(options.name));
    task.product.name.revision = task.asked.revision;
  }
  return task;
}

std::string PlaceOf(const Task& task) {
  return store::PathOf(task.product.name, task.product.options.dtype, task.product.folder);
}

Result<NamedModel> DescribeAt(const std::string& path, const Task& task) {
  std::optional<NamedModel> model = store::Describe(path, task.product.folder);
  if (!model) return Error(Code::kIo, path, ": was removed during the pull");
  return *std::move(model);
}

// The model if it is in the folder. With a name of its own the place counts, and what is there must be the same model.
Result<std::optional<NamedModel>> FindThere(const Task& task, bool renamed) {
  if (task.product.force) return std::optional<NamedModel>();
  if (renamed) {
    std::optional<NamedModel> model = store::Describe(PlaceOf(task), task.product.folder);
    if (model && !HasPooling(model->path, task.product)) model.reset();
    if (!model || store::SameWithoutCase(model->repository, task.repository)) return model;
    return Error(Code::kInvalidArgument, model->path, " is ",
                 model->repository.empty() ? std::string("not from the hub") : model->repository, ", not ",
                 task.repository, "; set `force` to replace it");
  }
  const Result<std::string> path = store::FindFile(task.asked, task.product.options.dtype, task.product.folder);
  if (path.ok() && !HasPooling(*path, task.product)) return std::optional<NamedModel>();
  if (path.ok()) return store::Describe(*path, task.product.folder);
  if (path.status().code() == Code::kNotFound) return std::optional<NamedModel>();
  return path.status();
}

// Another name in the folder for the same commit; whether there is one.
Result<bool> LinkSameCommit(const Task& task, const std::string& commit) {
  store::ModelName name = task.product.name;
  name.revision = commit;
  const Result<std::string> path = store::FindFile(name, task.product.options.dtype, task.product.folder);
  const std::optional<NamedModel> model = path.ok() ? store::Describe(*path, task.product.folder) : std::nullopt;
  if (!model || !store::SameWithoutCase(model->repository, task.repository)) return false;
  if (!HasPooling(*path, task.product)) return false;
  THIMBLE_RETURN_IF_ERROR(Link(*path, PlaceOf(task)));
  return true;
}

// Removes what an older version kept of the same model, without its organisation's folder.
void RemoveOlderPlace(const Task& task) {
  store::ModelName flat = task.product.name;
  flat.organisation.clear();
  const std::string path = store::PathOf(flat, task.product.options.dtype, task.product.folder);
  const std::optional<NamedModel> model =
      flat.revision.empty() ? store::Describe(path, task.product.folder) : std::nullopt;
  std::error_code ignored;
  if (model && path != PlaceOf(task) && store::SameWithoutCase(model->repository, task.repository)) {
    fs::remove(path, ignored);
  }
}

Status ConvertNamed(const Task& task, const std::string& source, const std::string& scratch, const std::string& commit,
                    Reporter& reporter) {
  THIMBLE_RETURN_IF_ERROR(ConvertTo(PlaceOf(task), source, scratch, task.product,
                                    {{store::kRepositoryKey, task.repository}, {store::kRevisionKey, commit}},
                                    reporter));
  RemoveOlderPlace(task);
  return Status();
}

// Removes a download that is no longer needed. An entry that fails ends remove_all; a second one takes the rest.
void RemoveDownload(const std::string& files) {
  std::error_code error;
  fs::remove_all(files, error);
  if (error) fs::remove_all(files, error);
}

Result<PulledModel> PullFromHub(Task& task, const std::string& files, Reporter& reporter) {
  THIMBLE_ASSIGN_OR_RETURN(Settings settings, ReadSettings());
  reporter.Enter(Stage::kDownloading);
  THIMBLE_ASSIGN_OR_RETURN(Client client, Client::Create(std::move(settings), [&] { return reporter.GoOn(); }));
  const std::string revision = task.asked.revision.empty() ? "main" : task.asked.revision;
  THIMBLE_ASSIGN_OR_RETURN(const Listing listing, client.List(task.repository, revision));
  if (store::SameWithoutCase(listing.repository, task.repository)) {
    const store::ModelName name = task.product.name;
    const bool renamed = !store::SameWithoutCase(name.Repository(), task.repository);
    NameAfter(listing.repository, task);
    if (renamed) task.product.name = name;
  }
  if (!task.product.force) {
    THIMBLE_ASSIGN_OR_RETURN(const bool linked, LinkSameCommit(task, listing.commit));
    if (linked) {
      THIMBLE_ASSIGN_OR_RETURN(NamedModel model, DescribeAt(PlaceOf(task), task));
      return PulledModel{std::move(model), false};
    }
  }
  const std::string source = files + "/" + listing.commit;
  std::error_code error;
  for (fs::directory_iterator entry(files, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (entry->path() != source) fs::remove_all(entry->path(), ignored);  // Another commit, or half a model.
  }
  Fetcher fetcher(task.repository, task.product, listing, source, client, reporter);
  Status status = base::Guarded([&] { return fetcher.Fetch(); });
  const bool fetched = status.ok();
  if (fetched) status = ConvertNamed(task, source, files, listing.commit, reporter);
  const bool keep = fetched ? reporter.ended() : fetcher.resumable();
  if (!keep) RemoveDownload(files);
  THIMBLE_RETURN_IF_ERROR(status);
  THIMBLE_ASSIGN_OR_RETURN(NamedModel model, DescribeAt(PlaceOf(task), task));
  return PulledModel{std::move(model), true};
}

// The model made of the first source that can be converted; nullopt when there is none, with the first one's error.
Result<std::optional<NamedModel>> TrySources(Task& task, const std::vector<LocalSource>& sources, bool network,
                                             const std::string& files, Reporter& reporter, Status& error) {
  for (const LocalSource& source : sources) {
    if (network && HasOnlyQuantizedWeights(source.path)) continue;
    Result<NamedModel> model = [&]() -> Result<NamedModel> {
      if (source.commit.empty()) return ModelOfFolder(source.path, task.product, false, reporter);
      if (task.repository.empty()) NameAfter(source.repository, task);
      // A snapshot may have come in part.
      THIMBLE_ASSIGN_OR_RETURN(const convert::FolderView view, convert::ViewOf(source.path));
      THIMBLE_ASSIGN_OR_RETURN(const convert::ModuleFolders modules, convert::ReadModuleFolders(view));
      THIMBLE_RETURN_IF_ERROR(convert::ConfigurationFiles(view, modules).status());
      THIMBLE_RETURN_IF_ERROR(convert::WeightFiles(view, modules).status());
      THIMBLE_RETURN_IF_ERROR(ConvertNamed(task, source.path, files, source.commit, reporter));
      return DescribeAt(PlaceOf(task), task);
    }();
    if (model.ok()) {
      RemoveDownload(files);
      return std::optional(*std::move(model));
    }
    std::error_code ignored;
    fs::remove(files, ignored);  // Where it is empty: a download may have left something to go on from.
    if (reporter.ended()) return model.status();
    if (error.ok()) error = Error(model.status().code(), source.path, ": ", model.status().message());
  }
  return std::optional<NamedModel>();
}

// Without the network.
Status NotHere(const Task& task, const std::vector<std::string>& looked, bool local_files_only) {
  std::string places;
  for (const std::string& place : looked) places += (places.empty() ? ", nor in " : ", ") + place;
  const Status missing = store::FindFile(task.asked, task.product.options.dtype, task.product.folder).status();
  if (local_files_only) return missing.ok() ? Error(Code::kNotFound, PlaceOf(task), ": not found") : missing;
  return Error(Code::kNotFound, "model \"", task.asked.Text(), "\" with dtype ", task.product.options.dtype,
               " is not in ", task.product.folder, places,
               ", and HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set; unset it to download the model");
}

Result<PulledModel> PullLocked(Task& task, const std::vector<LocalSource>& sources,
                               const std::vector<std::string>& looked, const PullOptions& options, Reporter& reporter) {
  const std::string files = store::FilesPath(task.product.folder, task.product.name);
  const bool network = !options.local_files_only && !IsOffline() && !task.repository.empty();
  Status error;
  if (!task.product.force || !network) {
    THIMBLE_ASSIGN_OR_RETURN(std::optional<NamedModel> made,
                             TrySources(task, sources, network, files, reporter, error));
    if (made) return PulledModel{*std::move(made), false};
  }
  if (network) return PullFromHub(task, files, reporter);
  if (!error.ok()) return error;
  if (task.repository.empty() && !options.local_files_only) {
    return Error(Code::kInvalidArgument, "model \"", task.asked.Text(),
                 "\" is not a known name; add its organisation: ORGANISATION/", task.asked.Text());
  }
  return NotHere(task, looked, options.local_files_only);
}

Result<PulledModel> PullNamed(const std::string& model, const PullOptions& options, Reporter& reporter) {
  THIMBLE_ASSIGN_OR_RETURN(Task task, TaskOf(model, options));
  THIMBLE_ASSIGN_OR_RETURN(std::optional<NamedModel> there, FindThere(task, !options.name.empty()));
  if (there) return PulledModel{*std::move(there), false};
  const store::KnownModel* known = store::FindKnownModel(task.asked.Repository());
  if (known != nullptr && !known->missing().empty()) {
    return Error(Code::kUnsupported, "model \"", task.asked.Text(), "\" is not supported yet: it needs ",
                 known->missing(), "; `thimble pull --list` shows the models that are");
  }
  std::vector<std::string> looked;
  THIMBLE_ASSIGN_OR_RETURN(const std::vector<LocalSource> sources,
                           FindLocalSources(task.asked, options.local_folders, looked));
  if (sources.empty() && options.local_files_only) return NotHere(task, looked, true);
  const std::string lock_path = store::LockPath(task.product.folder, task.product.name);
  THIMBLE_ASSIGN_OR_RETURN(base::FileLock lock, base::FileLock::Acquire(lock_path, [&] { return reporter.GoOn(); }));
  THIMBLE_ASSIGN_OR_RETURN(there, FindThere(task, !options.name.empty()));  // Another process may just have made it.
  if (there) return PulledModel{*std::move(there), false};
  return PullLocked(task, sources, looked, options, reporter);
}

Result<PulledModel> PullFolder(const std::string& path, const PullOptions& options, Reporter& reporter) {
  THIMBLE_ASSIGN_OR_RETURN(Product product, ProductOf(options));
  if (!options.revision.empty())
    return Error(Code::kInvalidArgument, "`revision`: a folder has no revision; leave it out");
  std::error_code error;
  const std::string last = fs::weakly_canonical(path, error).filename().string();
  const Result<store::ModelName> name = options.name.empty() ? store::ParseName(last) : OptionName(options.name);
  if (name.ok()) {
    product.name = *name;
  } else if (options.local_files_only && options.name.empty()) {
    product.name.name = "model";
  } else {
    return Error(Code::kInvalidArgument, path, ": a model cannot have the name \"",
                 options.name.empty() ? last : options.name, "\"; give it another one with `name`");
  }
  THIMBLE_ASSIGN_OR_RETURN(NamedModel model, ModelOfFolder(path, product, !options.local_files_only, reporter));
  return PulledModel{std::move(model), false};
}

// Whether the file at `path` has the bytes that were written.
Status Check(const std::string& path, const PullOptions& options) {
  const Status status = Model::Open(path, {.verify = true}).status();
  if (status.code() == Code::kUnsupported) {
    if (options.note) options.note(status.message());
    return Status();
  }
  if (status.code() != Code::kCorrupt) return status;
  return Error(Code::kCorrupt, status.message(), " with `force`");
}

Result<PulledModel> Pull(const std::string& model, const PullOptions& options) {
  Reporter reporter(options.progress);
  if (store::IsFileOrMock(model)) {
    return Error(Code::kInvalidArgument, "model \"", model, "\": expected a name or a folder, found ",
                 store::IsMockName(model) ? "a mock" : "the path of a model file");
  }
  const Result<std::string> folder = store::FolderOrDefault(options.folder);
  const base::Leftover leftover = folder.ok() ? base::Leftover(store::PullFolder(*folder)) : base::Leftover();
  // Guarded here too, so that nothing is left behind when memory is exhausted.
  Result<PulledModel> result = base::Guarded([&]() -> Result<PulledModel> {
    THIMBLE_ASSIGN_OR_RETURN(PulledModel pulled, store::IsFolder(model) ? PullFolder(model, options, reporter)
                                                                        : PullNamed(model, options, reporter));
    THIMBLE_RETURN_IF_ERROR(Check(pulled.model.path, options));
    return pulled;
  });
  if (folder.ok()) store::SweepPulls(*folder);
  return result;
}

}  // namespace
}  // namespace thimble::hub

namespace thimble::inline v0_1 {

Result<PulledModel> PullModel(const std::string& model, const PullOptions& options) {
  return base::Guarded([&] { return hub::Pull(model, options); });
}

}  // namespace thimble::inline v0_1
