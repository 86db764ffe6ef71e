// From names to files.

#include "thimble/cache.h"

#include <cstdlib>

#include "base/error.h"
#include "base/guard.h"
#include "runtime/mock.h"
#include "runtime/model_name.h"

namespace thimble {
namespace {

constexpr std::string_view kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

// Whether it can be a part of a file's name and leads nowhere else.
bool IsPlain(std::string_view word) {
  return !word.empty() && word[0] != '.' && word.find_first_not_of(kPlain) == std::string_view::npos;
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// As one word of a shell.
std::string Quoted(const std::string& text) {
  if (!text.empty() && text.find_first_not_of(std::string(kPlain) + "/") == std::string::npos) return text;
  std::string quoted = "'";
  for (char letter : text) quoted += letter == '\'' ? "'\\''" : std::string(1, letter);
  return quoted + "'";
}

std::string PullCommand(std::string_view name, std::string_view dtype, const std::string& folder) {
  std::string command;
  if (!folder.empty() && folder != CacheFolder()) command = "THIMBLE_HOME=" + Quoted(folder) + " ";
  command.append("thimble pull ").append(name).append(" --dtype ").append(dtype);
  return command;
}

}  // namespace

bool IsInFolder(std::string_view model) { return !model.ends_with(".safetensors") && !IsMock(model); }

std::string_view FileName(std::string_view model) {
  return IsInFolder(model) ? model.substr(model.find('/') + 1) : model;
}

std::string CacheFolder() {
  if (std::string home = Environment("THIMBLE_HOME"); !home.empty()) return home;
  // A relative path there is to be ignored, says the specification.
  if (std::string cache = Environment("XDG_CACHE_HOME"); cache.starts_with('/')) return cache + "/thimble";
  if (std::string home = Environment("HOME"); !home.empty()) return home + "/.cache/thimble";
  return "";
}

bool IsModelName(std::string_view model) {
  const std::size_t slash = model.find('/');
  return IsInFolder(model) && IsPlain(FileName(model)) &&
         (slash == std::string_view::npos || IsPlain(model.substr(0, slash)));
}

Result<std::string> ModelPath(std::string_view model, std::string_view dtype, const std::string& folder) {
  return Guarded([&]() -> Result<std::string> {
    if (!IsInFolder(model)) return std::string(model);
    if (!IsModelName(model)) {
      return Error(Code::kInvalidArgument, "model \"", model,
                   "\": expected a name such as all-MiniLM-L6-v2 or sentence-transformers/all-MiniLM-L6-v2, or the "
                   "path of a file that ends in .safetensors");
    }
    if (!IsPlain(dtype)) return Error(Code::kInvalidArgument, "dtype: expected one such as q8, found \"", dtype, "\"");
    std::string path = folder.empty() ? CacheFolder() : folder;
    if (path.empty()) {
      return Error(Code::kNotFound, "model \"", model,
                   "\": no folder is given, and none of THIMBLE_HOME, XDG_CACHE_HOME and HOME is set");
    }
    path.append("/").append(FileName(model)).append("-").append(dtype).append(".safetensors");
    return path;
  });
}

Result<std::shared_ptr<const Model>> OpenModel(std::string_view model, std::string_view dtype,
                                               const std::string& folder) {
  return Guarded([&]() -> Result<std::shared_ptr<const Model>> {
    THIMBLE_ASSIGN_OR_RETURN(std::string path, ModelPath(model, dtype, folder));
    Result<std::shared_ptr<const Model>> opened = Model::Open(path);
    if (opened.ok() || opened.status().code() != Code::kNotFound || !IsInFolder(model)) return opened;
    return Error(Code::kNotFound, "model \"", model, "\" with dtype ", dtype, ": ", opened.status().message(),
                 "; get it with: ", PullCommand(model, dtype, folder));
  });
}

}  // namespace thimble
