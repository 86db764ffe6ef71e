// Folders on this machine to models.

#include "hub/convert_source.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/guard.h"
#include "base/leftover.h"
#include "base/regular_file.h"
#include "base/sha256.h"
#include "convert/folder_files.h"
#include "format/reader.h"
#include "store/folder.h"
#include "store/source_folder.h"
#include "thimble/convert.h"

namespace thimble::hub {
namespace {

namespace fs = std::filesystem;

std::string KeyOf(const std::string& path) {
  base::Sha256 hash;
  hash.Update(path);
  return hash.Hex().substr(0, 32);
}

Result<std::vector<std::string>> FilesOf(const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(convert::FolderView view, convert::ViewOf(path));
  Result<std::vector<std::string>> files = convert::FilesLookedFor(std::move(view));
  if (files.ok()) return files;
  return Error(files.status().code(), "folder ", path, ": ", files.status().message(), "; found ",
               store::ContentsOf(path));
}

Status WriteRecord(const store::SourceRecord& record, const std::string& folder) {
  THIMBLE_ASSIGN_OR_RETURN(base::AtomicFile file, base::AtomicFile::Create(store::RecordPath(record.path, folder)));
  const std::string text = record.Text();
  THIMBLE_RETURN_IF_ERROR(file.Write(std::as_bytes(std::span(text))));
  return file.Commit();
}

// The model, unless it has to be made.
std::optional<std::string> FindMade(const std::string& path, const Product& product) {
  const Result<std::string> made = store::FindInFolder(path, product.options.dtype, product.folder);
  if (!made.ok() || product.force || !store::Describe(*made, product.folder) || !HasPooling(*made, product)) {
    return std::nullopt;
  }
  return *made;
}

Result<std::string> Make(const std::string& path, const Product& product, Reporter& reporter) {
  THIMBLE_ASSIGN_OR_RETURN(const std::vector<std::string> files, FilesOf(path));
  store::ModelName lock_name;
  lock_name.name = "folder-" + KeyOf(path);
  THIMBLE_ASSIGN_OR_RETURN(
      const base::FileLock lock,
      base::FileLock::Acquire(store::LockPath(product.folder, lock_name), [&] { return reporter.GoOn(); }));
  if (std::optional<std::string> made = FindMade(path, product)) return *std::move(made);  // By another process.
  THIMBLE_ASSIGN_OR_RETURN(store::SourceRecord record, store::MakeRecord(path, files));
  const std::string made = store::ConvertedPath(record, product.options.dtype, product.folder);
  const std::string scratch = store::FilesPath(product.folder, lock_name);
  const fs::path place = fs::path(made).parent_path();
  const base::Leftover leftovers[] = {base::Leftover(place.string()), base::Leftover(place.parent_path().string()),
                                      base::Leftover(place.parent_path().parent_path().string())};
  Status status = MakeFolder(place.string());
  if (status.ok()) {
    status =
        base::Guarded([&] { return ConvertTo(made, path, scratch, product, {{kFolderKey, KeyOf(path)}}, reporter); });
  }
  std::error_code ignored;
  fs::remove_all(scratch, ignored);
  if (status.ok() && !record.Holds()) status = Error(Code::kIo, "folder ", path, ": changed while it was converted");
  if (status.ok()) status = WriteRecord(record, product.folder);
  if (status.ok()) store::RemoveOutdated(record, product.folder);
  if (!status.ok()) {  // What nobody would find goes.
    fs::path folder = fs::path(made).parent_path();
    if (!fs::exists(store::RecordPath(path, product.folder), ignored)) fs::remove_all(folder.parent_path(), ignored);
    for (int level = 0; level < 3; ++level, folder = folder.parent_path()) fs::remove(folder, ignored);
    return status;
  }
  return made;
}

// Whether `there` may get another content as the model of the folder.
bool IsOfFolder(const std::string& there, const std::string& path) {
  const Result<format::Reader> reader = format::Reader::Open(there);
  return !reader.ok() || reader->Metadata(kFolderKey).value_or("") == KeyOf(path);
}

// Not by std::filesystem::copy_file, which brings all streams and locales of libc++ into a program.
Status Copy(const std::string& from, const std::string& to) {
  THIMBLE_ASSIGN_OR_RETURN(const base::RegularFile file, base::RegularFile::Open(from));
  THIMBLE_ASSIGN_OR_RETURN(base::AtomicFile copy, base::AtomicFile::Create(to));
  std::vector<std::byte> buffer(std::min<std::uint64_t>(file.size(), 1 << 16));
  for (std::uint64_t offset = 0; offset < file.size(); offset += buffer.size()) {
    buffer.resize(std::min<std::uint64_t>(file.size() - offset, buffer.size()));
    THIMBLE_RETURN_IF_ERROR(file.ReadAt(offset, buffer));
    THIMBLE_RETURN_IF_ERROR(copy.Write(buffer));
  }
  return copy.Commit();
}

}  // namespace

Status MakeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  return error ? Error(Code::kIo, "cannot make ", path, ": ", error.message()) : Status();
}

Status ConvertTo(const std::string& path, const std::string& source, const std::string& scratch, const Product& product,
                 const std::vector<std::pair<std::string, std::string>>& metadata, Reporter& reporter) {
  THIMBLE_RETURN_IF_ERROR(MakeFolder(scratch));
  const std::string made = scratch + "/" + fs::path(path).filename().string();
  const base::Leftover leftovers[] = {base::Leftover(made), base::Leftover(scratch)};
  ConvertOptions options = product.options;
  options.name = product.name.name;
  options.known_as = product.name.Repository();
  options.metadata = metadata;
  options.progress = [&](double share) {
    reporter.progress().share = share;
    return reporter.GoOn();
  };
  reporter.Enter(PullProgress::Stage::kConverting);
  THIMBLE_RETURN_IF_ERROR(convert::CheckNotRead(source, path));
  THIMBLE_RETURN_IF_ERROR(ConvertModel(source, made, options));
  THIMBLE_RETURN_IF_ERROR(MakeFolder(fs::path(path).parent_path().string()));
  std::error_code error;
  fs::rename(made, path, error);
  return error ? Error(Code::kIo, "cannot rename to ", path, ": ", error.message()) : Status();
}

Status Link(const std::string& from, const std::string& to) {
  THIMBLE_RETURN_IF_ERROR(MakeFolder(fs::path(to).parent_path().string()));
  const std::string temporary = to + ".new";
  const base::Leftover leftover(temporary);
  std::error_code error;
  fs::remove(temporary, error);
  fs::create_hard_link(from, temporary, error);
  if (error) return Copy(from, to);  // On another file system, or on one without links.
  fs::rename(temporary, to, error);
  if (!error) {
    fs::remove(temporary, error);  // Where both were one file already, renaming did nothing.
    return Status();
  }
  Status status = Error(Code::kIo, "cannot write ", to, ": ", error.message());
  fs::remove(temporary, error);
  return status;
}

Result<NamedModel> ModelOfFolder(const std::string& path, const Product& product, bool named, Reporter& reporter) {
  THIMBLE_ASSIGN_OR_RETURN(const std::string canonical, store::CanonicalFolder(path));
  std::error_code error;
  std::string made;
  if (!store::IsSource(canonical)) {
    THIMBLE_ASSIGN_OR_RETURN(made, store::FindInFolder(canonical, product.options.dtype, product.folder));
    named = false;
  }
  const std::string place = store::PathOf(product.name, product.options.dtype, product.folder);
  if (named && !product.force && fs::exists(place, error) && !IsOfFolder(place, canonical)) {
    return Error(Code::kInvalidArgument, place, " exists and was not made from ", canonical,
                 "; choose another `name`, or set `force` to replace it");
  }
  if (std::optional<std::string> there = FindMade(canonical, product)) made = *std::move(there);
  if (made.empty()) {
    THIMBLE_ASSIGN_OR_RETURN(made, Make(canonical, product, reporter));
  }
  if (named) THIMBLE_RETURN_IF_ERROR(convert::CheckNotRead(canonical, place));
  if (named) THIMBLE_RETURN_IF_ERROR(Link(made, place));
  std::optional<NamedModel> model = store::Describe(named ? place : made, product.folder);
  if (!model) return Error(Code::kIo, made, ": was removed during the conversion");
  if (!named) {
    model->name = canonical;
    model->organisation.clear();
  }
  return *std::move(model);
}

bool HasPooling(const std::string& path, const Product& product) {
  const Result<format::Reader> reader = format::Reader::Open(path);
  if (!reader.ok()) return false;
  const std::string_view pooling = reader->Metadata("pooling").value_or("");
  if (product.options.pooling ? pooling != PoolingName(*product.options.pooling)
                              : pooling == "unstated" && !product.options.unstated_pooling) {
    return false;
  }
  return !product.options.normalize || reader->Metadata("normalize") == (*product.options.normalize ? "true" : "false");
}

bool HasOnlyQuantizedWeights(const std::string& path) {
  const Result<convert::FolderView> view = convert::ViewOf(path);
  if (!view.ok()) return false;
  const Result<convert::ModuleFolders> modules = convert::ReadModuleFolders(*view);
  return modules.ok() && convert::IsQuantized(convert::ChooseWeights(view->has, modules->transformer));
}

}  // namespace thimble::hub
