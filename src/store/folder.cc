// Finds, lists and removes models.

#include "store/folder.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <tuple>

#include "base/error.h"
#include "base/file_lock.h"
#include "base/guard.h"
#include "base/path.h"
#include "format/dtypes.h"
#include "format/reader.h"
#include "store/known_models.h"
#include "store/source_folder.h"

namespace thimble::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".safetensors";

// A model file by its place and name.
struct StoredFile {
  ModelName name;
  std::string dtype;
  std::string path;
  bool flat = false;  // Not in the folder of an organisation: `name.organisation` is what its metadata says.
};

std::string_view OrganisationOf(std::string_view repository) {
  const std::size_t slash = repository.find('/');
  return slash == std::string_view::npos ? std::string_view() : repository.substr(0, slash);
}

std::string_view NameIn(std::string_view repository) { return repository.substr(repository.find('/') + 1); }

std::string_view Metadata(const Result<format::Reader>& reader, const char* key) {
  return reader.ok() ? reader->Metadata(key).value_or("") : std::string_view();
}

// Who made a flat file's model, where the file has the name that it had there.
void ReadOrganisation(StoredFile& file) {
  const Result<format::Reader> reader = format::Reader::Open(file.path);
  const std::string repository(Metadata(reader, kRepositoryKey));
  if (SameWithoutCase(NameIn(repository), file.name.name)) {
    file.name.organisation = OrganisationOf(repository);
  }
}

void AddFile(const fs::directory_entry& entry, const std::string& organisation, const std::string& wanted,
             std::vector<StoredFile>& files) {
  const auto parts = SplitFileName(base::FromPath(entry.path().filename()));
  if (!parts) return;
  StoredFile file;
  const std::size_t at = parts->first.find('@');
  file.name.organisation = organisation;
  file.name.name = parts->first.substr(0, at);
  if (!wanted.empty() && !SameWithoutCase(file.name.name, wanted)) return;
  if (at != std::string::npos) file.name.revision = *Unescaped(parts->first.substr(at + 1));
  // What cannot be looked at may be a model, and opening it says why it is none.
  std::error_code error;
  if (!entry.is_regular_file(error) && (!error || error == std::errc::no_such_file_or_directory)) return;
  file.dtype = parts->second;
  file.path = base::FromPath(entry.path());
  file.flat = organisation.empty();
  if (file.flat) ReadOrganisation(file);
  files.push_back(std::move(file));
}

// The model files in a folder with the name `wanted`, or all of them, in a fixed order.
Result<std::vector<StoredFile>> FilesIn(const std::string& folder, const std::string& wanted = {}) {
  std::vector<StoredFile> files;
  std::error_code error;
  for (fs::directory_iterator entry(base::ToPath(folder), error), end; !error && entry != end; entry.increment(error)) {
    AddFile(*entry, "", wanted, files);
    const std::string organisation = base::FromPath(entry->path().filename());
    std::error_code inner;
    if (!ParseName(organisation).ok() || !entry->is_directory(inner)) continue;
    for (fs::directory_iterator file(entry->path(), inner); !inner && file != end; file.increment(inner)) {
      AddFile(*file, organisation, wanted, files);
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    return Error(Code::kIo, "cannot read ", folder, ": ", error.message());
  }
  std::sort(files.begin(), files.end(), [](const StoredFile& a, const StoredFile& b) {
    const auto key = [](const StoredFile& file) {
      return std::tie(file.name.name, file.name.revision, file.dtype, file.name.organisation, file.flat);
    };
    return key(a) < key(b);
  });
  return files;
}

// How well an organisation fits a name, 0 the best; nullopt when it does not. None is recorded of an empty one.
std::optional<int> Rank(const ModelName& name, const KnownModel* known, std::string_view organisation) {
  if (SameWithoutCase(name.organisation, organisation)) return 0;
  if (known == nullptr) return name.organisation.empty() ? std::optional(1) : std::nullopt;
  if (organisation.empty()) return 3;
  if (SameWithoutCase(organisation, OrganisationOf(known->repository))) return 1;
  for (std::string_view alias : known->aliases()) {
    if (SameWithoutCase(organisation, OrganisationOf(alias))) return 2;
  }
  return std::nullopt;
}

bool IsFrom(const StoredFile& file, std::string_view commit) {
  if (!IsCommit(commit)) return false;
  return Metadata(format::Reader::Open(file.path), kRevisionKey) == commit;
}

// Those of `files` that `name` stands for: all of one organisation and one revision. kInvalidArgument where several
// organisations have it.
Result<std::vector<StoredFile>> Choose(const ModelName& name, std::string_view dtype, const std::string& folder,
                                       const std::vector<StoredFile>& files) {
  const KnownModel* known = FindKnownModel(name.Repository());
  std::vector<StoredFile> chosen;
  for (const bool by_commit : {false, true}) {
    int best = 4;
    for (const StoredFile& file : files) {
      if (!dtype.empty() && file.dtype != dtype) continue;
      const std::optional<int> rank = Rank(name, known, file.name.organisation);
      if (!rank || *rank > best) continue;
      if (by_commit ? !IsFrom(file, name.revision) : file.name.revision != name.revision) continue;
      if (*rank < best) chosen.clear();
      best = *rank;
      chosen.push_back(file);
    }
    if (!chosen.empty()) break;
  }
  for (const StoredFile& file : chosen) {
    if (SameWithoutCase(file.name.organisation, chosen[0].name.organisation)) continue;
    return Error(Code::kInvalidArgument, "model \"", name.Text(), "\": ", folder, " has ", chosen[0].name.Text(),
                 " and ", file.name.Text(), "; use one of these names");
  }
  return chosen;
}

// What the folder has under that name, for messages: "acme/tiny with dtype q8, tiny@v2 with dtype q4".
std::string TextOf(const std::vector<StoredFile>& files) {
  constexpr std::size_t kMost = 8;
  std::string text;
  for (std::size_t i = 0; i < files.size() && i < kMost; ++i) {
    text += (i == 0 ? "" : ", ") + files[i].name.Text() + " with dtype " + files[i].dtype;
    if (files[i].flat && files[i].name.organisation.empty()) text += " (no organisation is recorded in it)";
  }
  return text + (files.size() > kMost ? ", and more" : "");
}

// What a model file in `folder` is, or why it is none.
Result<NamedModel> ReadNamed(const std::string& path, const std::string& folder) {
  const auto used = base::LastUseOf(path);  // Before it is read here.
  const auto parts = SplitFileName(base::FromPath(base::ToPath(path).filename()));
  const Result<format::Reader> reader = format::Reader::Open(path);
  if (!reader.ok()) return reader.status();
  if (!parts) return Error(Code::kCorrupt, path, ": expected NAME-DTYPE.safetensors");
  NamedModel model;
  model.name = parts->first;
  if (const std::size_t at = model.name.find('@'); at != std::string::npos) {
    model.name = model.name.substr(0, at + 1) + *Unescaped(model.name.substr(at + 1));
  }
  model.dtype = parts->second;
  model.path = path;
  model.bytes = reader->file_bytes();
  model.repository = Metadata(reader, kRepositoryKey);
  model.revision = Metadata(reader, kRevisionKey);
  model.used = used;
  const fs::path parent = base::ToPath(path).parent_path();
  if (parent != base::ToPath(folder)) {
    model.organisation = base::FromPath(parent.filename());
  } else if (SameWithoutCase(NameIn(model.repository), model.name.substr(0, model.name.find('@')))) {
    model.organisation = OrganisationOf(model.repository);
  }
  return model;
}

Result<std::vector<NamedModel>> List(const std::string& folder) {
  THIMBLE_ASSIGN_OR_RETURN(std::vector<StoredFile> files, FilesIn(folder));
  std::vector<NamedModel> models;
  for (const StoredFile& file : files) {
    Result<NamedModel> model = ReadNamed(file.path, folder);
    // What is no model is left out, and what could not be read may be one.
    if (model.status().code() == Code::kIo || model.status().code() == Code::kOutOfMemory) return model.status();
    if (model.ok()) models.push_back(*std::move(model));
  }
  ListConverted(folder, models);
  return models;
}

Status RemoveFile(const std::string& path) {
  std::error_code error;
  if (!fs::remove(base::ToPath(path), error) && error) {
    return Error(Code::kIo, "cannot remove ", path, ": ", error.message());
  }
  return Status();
}

std::string KeyPath(const std::string& folder, const ModelName& name) {
  std::string text = name.Repository();
  for (char& c : text) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  if (!name.revision.empty()) text += "@" + name.revision;
  return PullFolder(folder) + "/" + Escaped(text);
}

// What an interrupted pull of the model left; whether there was any.
Result<bool> RemovePartial(const ModelName& name, const std::string& folder) {
  constexpr std::string_view kEnd = ".files";
  const KnownModel* known = FindKnownModel(name.Repository());
  bool removed = false;
  std::error_code error;
  for (fs::directory_iterator entry(base::ToPath(PullFolder(folder)), error), end; !error && entry != end;
       entry.increment(error)) {
    std::string key = base::FromPath(entry->path().filename());
    if (!key.ends_with(kEnd)) continue;
    key.resize(key.size() - kEnd.size());
    const Result<ModelName> other = ParseName(Unescaped(key).value_or(""));
    if (!other.ok() || !SameWithoutCase(other->name, name.name) || other->revision != name.revision ||
        !Rank(name, known, other->organisation)) {
      continue;
    }
    const Result<base::FileLock> lock = base::FileLock::Acquire(LockPath(folder, *other), [] { return false; });
    if (!lock.ok()) continue;  // They belong to a pull that is going on.
    std::error_code inner;
    removed |= fs::remove_all(entry->path(), inner) > 0;
    if (inner) return Error(Code::kIo, "cannot remove ", base::FromPath(entry->path()), ": ", inner.message());
  }
  fs::remove(base::ToPath(PullFolder(folder)), error);  // Where it is empty.
  return removed;
}

Result<std::vector<NamedModel>> Remove(std::string_view model, std::string_view dtype, const std::string& folder) {
  if (!dtype.empty()) THIMBLE_RETURN_IF_ERROR(format::ParseDtype(dtype).status());
  std::vector<NamedModel> removed;
  bool partial = false;
  std::string others;
  if (IsWrittenAsPath(model)) {
    THIMBLE_ASSIGN_OR_RETURN(removed, RemoveConverted(std::string(model), dtype, folder));
  } else {
    THIMBLE_ASSIGN_OR_RETURN(ModelName name, ParseName(model));
    THIMBLE_ASSIGN_OR_RETURN(std::vector<StoredFile> files, FilesIn(folder, name.name));
    others = TextOf(files);
    THIMBLE_ASSIGN_OR_RETURN(std::vector<StoredFile> chosen, Choose(name, dtype, folder, files));
    for (const StoredFile& file : chosen) {
      std::optional<NamedModel> described = Describe(file.path, folder);
      if (!described) continue;  // Not a model, and not ours to remove.
      THIMBLE_RETURN_IF_ERROR(RemoveFile(file.path));
      std::error_code ignored;
      if (!file.flat) fs::remove(base::ToPath(file.path).parent_path(), ignored);  // Where it is empty.
      removed.push_back(*std::move(described));
    }
    THIMBLE_ASSIGN_OR_RETURN(partial, RemovePartial(name, folder));
  }
  if (!removed.empty() || partial) return removed;
  return Error(Code::kNotFound, "model \"", model, "\"", dtype.empty() ? "" : " with dtype ", dtype, ": not found in ",
               folder, others.empty() ? "" : ", which has ", others, "; run thimble list to see all models");
}

}  // namespace

Result<std::string> FolderOrDefault(const std::string& folder) {
  std::string found = folder.empty() ? CacheFolder() : folder;
  if (!found.empty()) return found;
  return Error(Code::kNotFound, "no folder for models: set THIMBLE_HOME, XDG_CACHE_HOME or HOME, or pass a folder");
}

std::optional<std::pair<std::string, std::string>> SplitFileName(std::string_view file) {
  if (!file.ends_with(kSuffix)) return std::nullopt;
  file.remove_suffix(kSuffix.size());
  for (std::size_t dash = file.find('-'); dash != std::string_view::npos; dash = file.find('-', dash + 1)) {
    const std::string_view stem = file.substr(0, dash), dtype = file.substr(dash + 1);
    if (format::FindDtype(dtype) == nullptr) continue;
    const std::size_t at = stem.find('@');
    const bool named = ParseName(stem.substr(0, at)).ok();
    const bool revised = at == std::string_view::npos || !Unescaped(stem.substr(at + 1)).value_or("").empty();
    if (named && revised && stem.find('/') == std::string_view::npos) {
      return std::pair(std::string(stem), std::string(dtype));
    }
  }
  return std::nullopt;
}

std::string PathOf(const ModelName& name, std::string_view dtype, const std::string& folder) {
  std::string path = folder + "/" + name.Repository();
  if (!name.revision.empty()) path += "@" + Escaped(name.revision);
  return path.append("-").append(dtype).append(kSuffix);
}

Result<std::string> FindFile(const ModelName& name, std::string_view dtype, const std::string& folder) {
  THIMBLE_ASSIGN_OR_RETURN(std::vector<StoredFile> files, FilesIn(folder, name.name));
  THIMBLE_ASSIGN_OR_RETURN(std::vector<StoredFile> chosen, Choose(name, dtype, folder, files));
  if (!chosen.empty()) return chosen[0].path;
  // What is most alike first.
  std::stable_sort(files.begin(), files.end(), [&](const StoredFile& a, const StoredFile& b) {
    const auto unlike = [&](const StoredFile& file) {
      return std::pair(!SameWithoutCase(file.name.organisation, name.organisation), file.dtype != dtype);
    };
    return unlike(a) < unlike(b);
  });
  std::string there;
  if (!files.empty()) there = "; there is " + TextOf(files);
  return Error(Code::kNotFound, "model \"", name.Text(), "\" with dtype ", dtype, ": ", PathOf(name, dtype, folder),
               ": not found", there, "; get it with: ", PullCommand(name.Text(), dtype, folder));
}

std::optional<NamedModel> Describe(const std::string& path, const std::string& folder) {
  Result<NamedModel> model = ReadNamed(path, folder);
  return model.ok() ? std::optional(*std::move(model)) : std::nullopt;
}

void SweepPulls(const std::string& folder) {
  const std::string pulls = PullFolder(folder);
  std::error_code error;
  std::set<std::string> keys;
  for (fs::directory_iterator entry(base::ToPath(pulls), error), end; !error && entry != end; entry.increment(error)) {
    const fs::path& path = entry->path();
    if (path.extension() == ".lock" || path.extension() == ".files") keys.insert(base::FromPath(path.stem()));
  }
  for (const std::string& key : keys) {
    const Result<base::FileLock> lock = base::FileLock::Acquire(pulls + "/" + key + ".lock", [] { return false; });
    if (!lock.ok()) continue;  // Its process is at work.
    const fs::path files = base::ToPath(pulls + "/" + key + ".files");
    std::error_code ignored;
    for (fs::directory_iterator entry(files, error), end; !error && entry != end; entry.increment(error)) {
      if (entry->is_regular_file(ignored)) fs::remove(entry->path(), ignored);
    }
    fs::remove(files, ignored);  // Where it is empty.
  }
  fs::remove(base::ToPath(pulls), error);
}

std::string PullFolder(const std::string& folder) { return folder + "/.pull"; }

std::string LockPath(const std::string& folder, const ModelName& name) { return KeyPath(folder, name) + ".lock"; }
std::string FilesPath(const std::string& folder, const ModelName& name) { return KeyPath(folder, name) + ".files"; }

std::string PullCommand(const std::string& model, std::string_view dtype, const std::string& folder) {
  std::string command;
  if (folder != CacheFolder()) command = "THIMBLE_HOME=" + Quoted(folder) + " ";
  return command.append("thimble pull ").append(Quoted(model)).append(" --dtype ").append(dtype);
}

}  // namespace thimble::store

namespace thimble::inline v0_1 {

Result<std::vector<NamedModel>> ListModels(const std::string& folder) {
  return base::Guarded([&]() -> Result<std::vector<NamedModel>> {
    THIMBLE_ASSIGN_OR_RETURN(std::string found, store::FolderOrDefault(folder));
    return store::List(found);
  });
}

Result<std::vector<NamedModel>> RemoveModel(std::string_view name, std::string_view dtype, const std::string& folder) {
  return base::Guarded([&]() -> Result<std::vector<NamedModel>> {
    THIMBLE_ASSIGN_OR_RETURN(std::string found, store::FolderOrDefault(folder));
    return store::Remove(name, dtype, found);
  });
}

}  // namespace thimble::inline v0_1
