// Checked access to JSON files.

#include "json/json_file.h"

#include <span>

#include "base/error.h"
#include "base/regular_file.h"
#include "json/parse.h"

namespace thimble::json {

Result<std::string> ReadFile(const std::string& path, std::size_t limit) {
  THIMBLE_ASSIGN_OR_RETURN(base::RegularFile file, base::RegularFile::Open(path));
  if (file.size() > limit) {
    return Error(Code::kCorrupt, path, ": ", file.size(), " bytes, at most ", limit, " are allowed");
  }
  std::string text(file.size(), '\0');
  THIMBLE_RETURN_IF_ERROR(file.ReadAt(0, std::as_writable_bytes(std::span(text))));
  return text;
}

Result<JsonFile> JsonFile::Open(const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxConfigBytes));
  return Parse(text, path);
}

Result<JsonFile> JsonFile::Parse(std::string_view text, const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(Value json, json::Parse(text, path));
  if (!json.is_object() && !json.is_array()) return Error(Code::kCorrupt, path, ": expected a JSON object");
  return JsonFile(path, std::move(json), true);
}

Result<JsonFile> JsonFile::OpenIfPresent(const std::string& path) {
  Result<JsonFile> file = Open(path);
  if (file.ok() || file.status().code() != Code::kNotFound) return file;
  return JsonFile(path, Object(), false);
}

Status JsonFile::Corrupt(std::string_view key, std::string_view expected) const {
  return Error(Code::kCorrupt, path_, ": \"", key, "\": expected ", expected);
}

const Value* JsonFile::Find(std::string_view key) const { return json_.FindSet(key); }

Result<std::optional<std::uint64_t>> JsonFile::Integer(std::string_view key, std::uint64_t low,
                                                       std::uint64_t high) const {
  const Value* value = Find(key);
  if (value == nullptr) return std::optional<std::uint64_t>();
  if (value->is_unsigned() && value->integer() >= low && value->integer() <= high) {
    return std::optional<std::uint64_t>(value->integer());
  }
  const std::string found = value->is_number() ? value->Text() : value->Kind();
  return Corrupt(key, "an integer from " + std::to_string(low) + " to " + std::to_string(high) + ", found " + found);
}

Result<std::optional<double>> JsonFile::Number(std::string_view key) const {
  const Value* value = Find(key);
  if (value == nullptr) return std::optional<double>();
  if (!value->is_number()) return Corrupt(key, "a number");
  return std::optional<double>(value->number());
}

Result<std::optional<std::string>> JsonFile::Text(std::string_view key) const {
  const Value* value = Find(key);
  if (value == nullptr) return std::optional<std::string>();
  if (!value->is_string()) return Corrupt(key, "a string");
  return std::optional<std::string>(value->string());
}

Result<std::optional<bool>> JsonFile::Boolean(std::string_view key) const {
  const Value* value = Find(key);
  if (value == nullptr) return std::optional<bool>();
  if (!value->is_boolean()) return Corrupt(key, "true or false");
  return std::optional<bool>(value->boolean());
}

Result<std::uint64_t> JsonFile::RequiredInteger(std::string_view key, std::uint64_t low, std::uint64_t high) const {
  Result<std::optional<std::uint64_t>> value = Integer(key, low, high);
  if (!value.ok()) return value.status();
  if (!value->has_value()) return Corrupt(key, "an integer, found nothing");
  return **value;
}

}  // namespace thimble::json
