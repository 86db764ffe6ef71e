// Opening model files and looking things up in them.

#include "format/reader.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/error.h"

namespace thimble::format {

Result<Reader> Reader::Open(const std::string& path, bool copy) {
  THIMBLE_ASSIGN_OR_RETURN(base::RegularFile file, base::RegularFile::Open(path));
  return Open(std::move(file), copy);
}

Result<Reader> Reader::Open(base::RegularFile file, bool copy) {
  const std::string path = file.path();
  THIMBLE_ASSIGN_OR_RETURN(base::FileMap map,
                           copy ? base::FileMap::CopyOf(std::move(file)) : base::FileMap::Of(std::move(file)));
  const std::span<const std::byte> bytes = map.bytes();
  THIMBLE_ASSIGN_OR_RETURN(std::uint64_t length,
                           HeaderBytes(bytes.subspan(0, std::min<std::size_t>(8, bytes.size())), bytes.size(), path));
  // A copy, so that a file changed meanwhile cannot undo a check.
  const std::string json(reinterpret_cast<const char*>(bytes.data()) + 8, length);
  THIMBLE_ASSIGN_OR_RETURN(Header header, ParseHeader(json, bytes.size(), path));
  Reader reader(path, std::move(map), std::move(header));
  std::optional<std::string_view> version = reader.Metadata(kVersionKey);
  if (!version) {
    return Error(Code::kCorrupt, path, ": not a thimble model file (metadata \"", kVersionKey,
                 "\" is missing); run thimble convert to make one");
  }
  if (*version != kVersion && *version != kVersion2) {
    return Error(Code::kUnsupported, path, ": format version ", *version, ", this build reads versions ", kVersion,
                 " and ", kVersion2);
  }
  if (reader.header_.data_begin % kAlignment != 0) {
    return Error(Code::kCorrupt, path, ": the data begins at byte ", reader.header_.data_begin,
                 ", expected a multiple of ", kAlignment);
  }
  for (const TensorInfo& tensor : reader.header_.tensors) {
    if (tensor.bytes() % kAlignment != 0) {
      return Error(Code::kCorrupt, path, ": tensor \"", tensor.name, "\": ", tensor.bytes(),
                   " bytes, expected a multiple of ", kAlignment);
    }
  }
  return reader;
}

Reader::Reader(std::string path, base::FileMap map, Header header)
    : path_(std::move(path)), map_(std::move(map)), header_(std::move(header)) {
  for (const TensorInfo& tensor : header_.tensors) by_name_.push_back(&tensor);
  std::sort(by_name_.begin(), by_name_.end(),
            [](const TensorInfo* a, const TensorInfo* b) { return a->name < b->name; });
}

const TensorInfo* Reader::Find(std::string_view name) const {
  auto found =
      std::lower_bound(by_name_.begin(), by_name_.end(), name,
                       [](const TensorInfo* tensor, std::string_view wanted) { return tensor->name < wanted; });
  return found != by_name_.end() && (*found)->name == name ? *found : nullptr;
}

std::optional<std::string_view> Reader::Metadata(std::string_view key) const {
  for (const auto& [name, value] : header_.metadata) {
    if (name == key) return value;
  }
  return std::nullopt;
}

Result<std::string_view> Reader::Text(std::string_view key) const {
  std::optional<std::string_view> text = Metadata(key);
  if (text) return *text;
  return Error(Code::kCorrupt, path_, ": metadata \"", key, "\" is missing");
}

Result<std::uint64_t> Reader::Integer(std::string_view key, std::uint64_t low, std::uint64_t high) const {
  THIMBLE_ASSIGN_OR_RETURN(std::string_view text, Text(key));
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    return Mismatch(key, "an integer from " + std::to_string(low) + " to " + std::to_string(high));
  }
  return value;
}

Result<double> Reader::Number(std::string_view key) const {
  THIMBLE_ASSIGN_OR_RETURN(std::string_view text, Text(key));
  double value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return Mismatch(key, "a number");
  }
  return value;
}

Result<bool> Reader::Boolean(std::string_view key) const {
  THIMBLE_ASSIGN_OR_RETURN(std::string_view text, Text(key));
  if (text == "true") return true;
  if (text == "false") return false;
  return Mismatch(key, "true or false");
}

Status Reader::Mismatch(std::string_view key, std::string_view expected) const {
  return Error(Code::kCorrupt, path_, ": metadata \"", key, "\": expected ", expected, ", found \"",
               Metadata(key).value_or(""), "\"");
}

Status Reader::Unknown(std::string_view key, std::string_view what) const {
  return Error(Code::kUnsupported, path_, ": metadata \"", key, "\": this build does not know the ", what, " \"",
               Metadata(key).value_or(""), "\"");
}

Result<std::span<const std::byte>> Reader::Find(std::string_view name, ElementType type,
                                                std::span<const std::uint64_t> shape, bool check_shape) const {
  const TensorInfo* tensor = Find(name);
  if (tensor == nullptr) return Error(Code::kCorrupt, path_, ": tensor \"", name, "\" is missing");
  if (tensor->type != type) {
    return Error(Code::kCorrupt, path_, ": tensor \"", name, "\": expected ", ElementName(type), ", found ",
                 ElementName(tensor->type));
  }
  bool same = check_shape ? std::equal(shape.begin(), shape.end(), tensor->shape.begin(), tensor->shape.end())
                          : tensor->shape.size() == 1;
  if (!same) {
    return Error(Code::kCorrupt, path_, ": tensor \"", name, "\": expected ",
                 check_shape ? "shape " + ShapeText(shape) : std::string("one dimension"), ", found ",
                 ShapeText(tensor->shape));
  }
  return map_.bytes().subspan(header_.data_begin + tensor->begin, tensor->bytes());
}

}  // namespace thimble::format
