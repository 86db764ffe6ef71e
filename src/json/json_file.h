// Reading JSON files of a Hugging Face folder: limited in size, and every value checked for its type.

#ifndef THIMBLE_JSON_JSON_FILE_H_
#define THIMBLE_JSON_JSON_FILE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "json/value.h"
#include "thimble/status.h"

namespace thimble::json {

// The bytes of a regular file. kNotFound, kIo, or kCorrupt when it has more than `limit`.
Result<std::string> ReadFile(const std::string& path, std::size_t limit);

// Configuration is a few kilobytes; parsed JSON takes many times its length.
inline constexpr std::size_t kMaxConfigBytes = 1 << 20;
inline constexpr std::size_t kMaxTokenizerBytes = 64 << 20;

// One JSON object or array and the path it is from, for messages. Thread-compatible.
class JsonFile {
 public:
  // kCorrupt when the file is neither a JSON object nor an array, or as Parse of parse.h says; kNotFound, kIo.
  static Result<JsonFile> Open(const std::string& path);
  // The same of a text; `path` is for messages.
  static Result<JsonFile> Parse(std::string_view text, const std::string& path);
  // An empty object, and not present(), when there is no such file.
  static Result<JsonFile> OpenIfPresent(const std::string& path);

  const std::string& path() const { return path_; }
  const Value& json() const { return json_; }
  Value Take() { return std::move(json_); }
  bool present() const { return present_; }
  Status Corrupt(std::string_view key, std::string_view expected) const;
  // The value of `key`; null when it is absent or null.
  const Value* Find(std::string_view key) const;

  // The value of `key`; nullopt when it is absent or null; kCorrupt when it is of another type or out of range.
  Result<std::optional<std::uint64_t>> Integer(std::string_view key, std::uint64_t low, std::uint64_t high) const;
  Result<std::optional<double>> Number(std::string_view key) const;
  Result<std::optional<std::string>> Text(std::string_view key) const;
  Result<std::optional<bool>> Boolean(std::string_view key) const;
  // The same, kCorrupt when absent.
  Result<std::uint64_t> RequiredInteger(std::string_view key, std::uint64_t low, std::uint64_t high) const;

 private:
  JsonFile(std::string path, Value json, bool present)
      : path_(std::move(path)), json_(std::move(json)), present_(present) {}

  std::string path_;
  Value json_;
  bool present_;
};

}  // namespace thimble::json

#endif  // THIMBLE_JSON_JSON_FILE_H_
