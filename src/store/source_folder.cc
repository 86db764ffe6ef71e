// Records of folders, and finding what was made of them.

#include "store/source_folder.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <optional>
#include <set>
#include <span>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/path.h"
#include "base/regular_file.h"
#include "base/sha256.h"
#include "format/dtypes.h"
#include "format/reader.h"
#include "store/folder.h"

namespace thimble::store {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFirstLine = "thimble " THIMBLE_VERSION;
constexpr std::size_t kMaxRecordBytes = 1 << 20;

std::string FoldersPath(const std::string& folder) { return folder + "/.folders"; }

std::string KeyFolder(const std::string& path, const std::string& folder) {
  base::Sha256 hash;
  hash.Update(path);
  return FoldersPath(folder) + "/" + hash.Hex().substr(0, 32);
}

std::string ContentFolder(const SourceRecord& record, const std::string& folder) {
  return KeyFolder(record.path, folder) + "/" + record.Content().substr(0, 32);
}

Result<std::string> HashOf(const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(base::RegularFile file, base::RegularFile::Open(path));
  return base::Sha256OfFile(file, 0, file.size());
}

std::string_view TakeUntil(std::string_view& text, char end) {
  const std::size_t length = text.find(end);
  const std::string_view taken = text.substr(0, length);
  text.remove_prefix(length == std::string_view::npos ? text.size() : length + 1);
  return taken;
}

template <typename Number>
bool TakeNumber(std::string_view& text, Number& number) {
  const std::string_view digits = TakeUntil(text, ' ');
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return error == std::errc() && end == digits.data() + digits.size();
}

std::optional<SourceFile> ParseFile(std::string_view line) {
  SourceFile file;
  file.there = !line.starts_with("- ");
  if (file.there) {
    if (!TakeNumber(line, file.stamp.size) || !TakeNumber(line, file.stamp.written) ||
        !TakeNumber(line, file.stamp.changed) || !TakeNumber(line, file.stamp.number)) {
      return std::nullopt;
    }
    file.sha256 = TakeUntil(line, ' ');
  } else {
    line.remove_prefix(2);
  }
  file.name = line;
  return file;
}

// nullopt for one that is not there, of another version, or malformed.
std::optional<SourceRecord> ReadRecord(const std::string& key_folder) {
  const Result<base::RegularFile> file = base::RegularFile::Open(key_folder + "/record");
  if (!file.ok() || file->size() > kMaxRecordBytes) return std::nullopt;
  std::string text(file->size(), '\0');
  if (!file->ReadAt(0, std::as_writable_bytes(std::span(text))).ok()) return std::nullopt;
  std::string_view rest = text;
  if (TakeUntil(rest, '\n') != kFirstLine) return std::nullopt;
  SourceRecord record;
  record.path = TakeUntil(rest, '\n');
  while (!rest.empty()) {
    std::optional<SourceFile> line = ParseFile(TakeUntil(rest, '\n'));
    if (!line) return std::nullopt;
    record.files.push_back(*std::move(line));
  }
  return record;
}

// The path of a record of any version.
std::string PathInRecord(const std::string& key_folder) {
  const Result<base::RegularFile> file = base::RegularFile::Open(key_folder + "/record");
  if (!file.ok() || file->size() > kMaxRecordBytes) return "";
  std::string text(file->size(), '\0');
  if (!file->ReadAt(0, std::as_writable_bytes(std::span(text))).ok()) return "";
  std::string_view rest = text;
  TakeUntil(rest, '\n');
  return std::string(TakeUntil(rest, '\n'));
}

// Model files in a folder, by name and dtype.
std::vector<std::pair<std::string, std::string>> ModelsIn(const std::string& path) {
  std::vector<std::pair<std::string, std::string>> models;
  std::error_code error;
  for (fs::directory_iterator entry(base::ToPath(path), error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    auto parts = SplitFileName(base::FromPath(entry->path().filename()));
    if (parts && entry->is_regular_file(ignored)) models.push_back(*std::move(parts));
  }
  std::sort(models.begin(), models.end());
  return models;
}

Result<std::string> FindAmongModels(const std::string& path, std::string_view dtype) {
  std::vector<std::string> names, others;
  for (const auto& [name, found] : ModelsIn(path)) (found == dtype ? names : others).push_back(name + "-" + found);
  if (names.size() == 1) return path + "/" + names[0] + ".safetensors";
  const auto list = [](const std::vector<std::string>& texts) {
    std::string text;
    for (const std::string& name : texts) text += (text.empty() ? "" : ", ") + name + ".safetensors";
    return text;
  };
  if (!names.empty()) {
    return Error(Code::kInvalidArgument, "folder ", path, ": contains ", list(names), "; pass the path of one of them");
  }
  if (!others.empty()) {
    return Error(Code::kNotFound, "folder ", path, ": contains no model with dtype ", dtype, ", found ", list(others));
  }
  const std::string found = ContentsOf(path);
  return Error(
      Code::kNotFound, "folder ", path,
      ": expected a Hugging Face folder (config.json, tokenizer.json or a vocabulary, and weights) or model files "
      "(NAME-DTYPE.safetensors), found ",
      found.empty() ? "nothing" : found);
}

}  // namespace

std::string SourceRecord::Content() const {
  base::Sha256 hash;
  hash.Update(kFirstLine);
  for (const SourceFile& file : files) {
    if (file.there) hash.Update("\n" + file.sha256 + " " + file.name);
  }
  return hash.Hex();
}

std::string SourceRecord::Text() const {
  std::string text(kFirstLine);
  text += "\n" + path + "\n";
  for (const SourceFile& file : files) {
    if (file.there) {
      text += std::to_string(file.stamp.size) + " " + std::to_string(file.stamp.written) + " " +
              std::to_string(file.stamp.changed) + " " + std::to_string(file.stamp.number) + " " + file.sha256 + " ";
    } else {
      text += "- ";
    }
    text += file.name + "\n";
  }
  return text;
}

bool SourceRecord::Holds() const {
  for (const bool read : {false, true}) {  // All stamps before any content.
    for (const SourceFile& file : files) {
      const std::string full = path + "/" + file.name;
      const Result<base::FileStamp> stamp = base::StampOf(full);
      if (stamp.ok() != file.there) return false;
      if (!file.there || *stamp == file.stamp) continue;
      if (stamp->size != file.stamp.size) return false;
      if (!read) continue;
      const Result<std::string> hash = HashOf(full);
      if (!hash.ok() || *hash != file.sha256) return false;
    }
  }
  return true;
}

Result<std::string> CanonicalFolder(const std::string& path) {
  std::error_code error;
  const fs::path canonical = fs::canonical(base::ToPath(path), error);
  if (error) {
    const std::string here = base::FromPath(fs::absolute(base::ToPath(path), error));
    return Error(Code::kNotFound, path, ": not found", here == path ? "" : " (looked for " + here + ")");
  }
  if (!fs::is_directory(canonical, error)) {
    return Error(Code::kInvalidArgument, path, ": expected a folder, or a file that ends in .safetensors");
  }
  return base::FromPath(canonical);
}

Result<SourceRecord> MakeRecord(const std::string& path, const std::vector<std::string>& names) {
  SourceRecord record;
  record.path = path;
  for (const std::string& name : names) {
    SourceFile file;
    file.name = name;
    const Result<base::FileStamp> stamp = base::StampOf(path + "/" + name);
    file.there = stamp.ok();
    if (file.there) {
      file.stamp = *stamp;
      THIMBLE_ASSIGN_OR_RETURN(file.sha256, HashOf(path + "/" + name));
    }
    record.files.push_back(std::move(file));
  }
  return record;
}

bool IsSource(const std::string& path) {
  return base::StampOf(path + "/config.json").ok() || base::StampOf(path + "/modules.json").ok();
}

std::string ContentsOf(const std::string& path) {
  constexpr std::size_t kMost = 12;
  std::set<std::string> names;
  std::error_code error;
  for (fs::directory_iterator entry(base::ToPath(path), error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    const std::string name = base::FromPath(entry->path().filename());
    if (!name.starts_with('.')) names.insert(name + (entry->is_directory(ignored) ? "/" : ""));
  }
  std::string text;
  std::size_t count = 0;
  for (const std::string& name : names) {
    if (++count > kMost) return text + " and " + std::to_string(names.size() - kMost) + " more";
    text += (text.empty() ? "" : ", ") + name;
  }
  return text;
}

Result<std::string> FindInFolder(const std::string& path, std::string_view dtype, const std::string& folder) {
  THIMBLE_RETURN_IF_ERROR(format::ParseDtype(dtype).status());
  THIMBLE_ASSIGN_OR_RETURN(const std::string canonical, CanonicalFolder(path));
  if (!IsSource(canonical)) return FindAmongModels(canonical, dtype);
  const std::optional<SourceRecord> record = ReadRecord(KeyFolder(canonical, folder));
  bool changed = false;
  if (record && record->path == canonical) {
    std::string made = ConvertedPath(*record, dtype, folder);
    changed = !record->Holds();
    if (!changed && base::StampOf(made).ok()) return made;
  }
  const std::string command = path.empty() || IsWrittenAsPath(path) ? path : canonical;
  return Error(Code::kNotFound, "folder ", canonical, changed ? " has changed since it was" : " was not",
               " converted with dtype ", dtype, "; get it with: ", PullCommand(command, dtype, folder));
}

std::string NameOfFolder(const std::string& path) {
  const std::string last = base::FromPath(base::ToPath(path).filename());
  return ParseName(last).ok() && last.find('@') == std::string::npos ? last : "model";
}

std::string ConvertedPath(const SourceRecord& record, std::string_view dtype, const std::string& folder) {
  ModelName name;
  name.name = NameOfFolder(record.path);
  return PathOf(name, dtype, ContentFolder(record, folder));
}

std::string RecordPath(const std::string& path, const std::string& folder) {
  return KeyFolder(path, folder) + "/record";
}

void RemoveOutdated(const SourceRecord& record, const std::string& folder) {
  const fs::path kept = base::ToPath(ContentFolder(record, folder));
  std::error_code error;
  for (fs::directory_iterator entry(kept.parent_path(), error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    if (entry->is_directory(ignored) && entry->path() != kept) fs::remove_all(entry->path(), ignored);
  }
}

void ListConverted(const std::string& folder, std::vector<NamedModel>& models) {
  std::error_code error;
  std::vector<NamedModel> found;
  for (fs::directory_iterator entry(base::ToPath(FoldersPath(folder)), error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string key_folder = base::FromPath(entry->path()), path = PathInRecord(key_folder);
    if (path.empty()) continue;
    std::error_code inner;
    for (fs::directory_iterator made(entry->path(), inner); !inner && made != end; made.increment(inner)) {
      const std::string content = base::FromPath(made->path());
      for (const auto& [name, dtype] : ModelsIn(content)) {
        std::optional<NamedModel> model = Describe(content + "/" + name + "-" + dtype + ".safetensors", content);
        if (!model) continue;
        model->name = path;
        found.push_back(*std::move(model));
      }
    }
  }
  std::sort(found.begin(), found.end(), [](const NamedModel& a, const NamedModel& b) {
    return std::pair(a.name, a.dtype) < std::pair(b.name, b.dtype);
  });
  models.insert(models.end(), found.begin(), found.end());
}

Result<std::vector<NamedModel>> RemoveConverted(const std::string& path, std::string_view dtype,
                                                const std::string& folder) {
  std::error_code error;
  const std::string canonical = base::FromPath(fs::weakly_canonical(base::ToPath(path), error));
  std::vector<NamedModel> models, removed;
  ListConverted(folder, models);
  for (NamedModel& model : models) {
    if (model.name != canonical || (!dtype.empty() && model.dtype != dtype)) continue;
    if (!fs::remove(base::ToPath(model.path), error) && error) {
      return Error(Code::kIo, "cannot remove ", model.path, ": ", error.message());
    }
    fs::remove(base::ToPath(model.path).parent_path(), error);  // Where it is empty.
    removed.push_back(std::move(model));
  }
  const std::string key_folder = KeyFolder(canonical, folder);
  const auto is_folder = [](const fs::directory_entry& entry) {
    std::error_code ignored;
    return entry.is_directory(ignored);
  };
  if (!removed.empty() && std::none_of(fs::directory_iterator(base::ToPath(key_folder), error), {}, is_folder)) {
    fs::remove_all(base::ToPath(key_folder), error);
  }
  fs::remove(base::ToPath(FoldersPath(folder)), error);  // Where it is empty.
  return removed;
}

}  // namespace thimble::store
