// Walks a folder; links cannot lead it in circles because it follows none to folders.

#include "sync/folder.h"

#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "base/error.h"
#include "text/utf8.h"

namespace thimble::sync {
namespace {

namespace fs = std::filesystem;

bool Excluded(const std::string& path, const std::string& name, const std::vector<std::string>& exclude) {
  return std::any_of(exclude.begin(), exclude.end(), [&](const std::string& pattern) {
    const bool whole = pattern.find('/') != std::string::npos;
    return fnmatch(pattern.c_str(), whole ? path.c_str() : name.c_str(), 0) == 0;
  });
}

class Walk {
 public:
  Walk(const std::vector<std::string>& exclude, Listing& listing) : exclude_(exclude), listing_(listing) {}

  // Lists one folder and gives the folders in it.
  std::error_code List(const fs::path& folder, const std::string& prefix, std::vector<std::string>& folders) {
    std::error_code error;
    fs::directory_iterator entries(folder, error);
    for (; !error && entries != fs::directory_iterator(); entries.increment(error)) Take(*entries, prefix, folders);
    return error;
  }

 private:
  void Take(const fs::directory_entry& entry, const std::string& prefix, std::vector<std::string>& folders) {
    const std::string name = entry.path().filename().string();
    const std::string path = prefix + name;
    if (name.starts_with('.') || Excluded(path, name, exclude_)) return;
    std::error_code error;
    const bool link = entry.is_symlink(error);
    if (!link && entry.is_directory(error)) {
      folders.push_back(path + "/");
      return;
    }
    Format format;
    if (!FormatOf(name, format)) {
      ++listing_.other_files;
      return;
    }
    if (text::Utf8Prefix(path) != path.size()) {
      listing_.skipped.push_back({path, "its name is not UTF-8"});
      return;
    }
    const fs::file_status status = entry.status(error);
    if (status.type() == fs::file_type::regular) {
      listing_.paths.push_back(path);
    } else if (status.type() == fs::file_type::directory) {
      ++listing_.other_files;  // A link to a folder that is named like a document.
    } else if (link && error) {
      listing_.skipped.push_back({path, "a symbolic link that leads nowhere"});
    } else {
      listing_.skipped.push_back({path, "no regular file"});
    }
  }

  const std::vector<std::string>& exclude_;
  Listing& listing_;
};

}  // namespace

Result<Listing> ListDocuments(const std::string& folder, const std::vector<std::string>& exclude) {
  std::error_code error;
  const fs::file_status status = fs::status(folder, error);
  if (status.type() == fs::file_type::not_found) return Error(Code::kNotFound, folder, ": no such folder");
  if (!error && status.type() != fs::file_type::directory) {
    return Error(Code::kInvalidArgument, folder, ": expected a folder, found a file");
  }
  Listing listing;
  Walk walk(exclude, listing);
  std::vector<std::string> folders;
  error = walk.List(folder, "", folders);
  if (error) return Error(Code::kIo, folder, ": cannot be listed: ", error.message());
  while (!folders.empty()) {
    const std::string prefix = std::move(folders.back());
    folders.pop_back();
    error = walk.List(fs::path(folder) / prefix, prefix, folders);
    if (error) listing.skipped.push_back({prefix, "cannot be listed: " + error.message(), true});
  }
  std::sort(listing.paths.begin(), listing.paths.end());
  return listing;
}

std::string WhyNoText(std::string_view bytes) {
  if (bytes.find('\0') != std::string_view::npos) {
    return bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff") ? "UTF-16; save it as UTF-8" : "binary";
  }
  const std::size_t bad = text::Utf8Prefix(bytes);
  if (bad == bytes.size()) return "";
  return "not UTF-8 at byte " + std::to_string(bad) + "; save it as UTF-8";
}

}  // namespace thimble::sync
