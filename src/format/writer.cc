// Writing model files.

#include "format/writer.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/checked.h"
#include "base/error.h"
#include "format/reader.h"

namespace thimble::format {
namespace {

// The JSON of a header, padded with spaces so that the data begins on a cache line.
std::string HeaderJson(const Layout& layout) {
  nlohmann::ordered_json json;
  nlohmann::ordered_json& metadata = json["__metadata__"];
  metadata[std::string(kVersionKey)] = kVersion;
  for (const auto& [key, value] : layout.metadata) metadata[key] = value;
  for (const TensorInfo& tensor : layout.tensors) {
    json[tensor.name] = {
        {"dtype", ElementName(tensor.type)}, {"shape", tensor.shape}, {"data_offsets", {tensor.begin, tensor.end}}};
  }
  std::string text = json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.resize(RoundUp(text.size() + 8, kAlignment) - 8, ' ');
  return text;
}

}  // namespace

Result<Writer> Writer::Create(const std::string& path, Layout layout) {
  std::uint64_t offset = 0;
  for (TensorInfo& tensor : layout.tensors) {
    auto elements = CheckedProduct(tensor.shape);
    auto bytes = elements ? CheckedMul(*elements, ElementBytes(tensor.type)) : std::nullopt;
    auto end = bytes ? CheckedAdd(offset, *bytes) : std::nullopt;
    if (!end || *bytes % kAlignment != 0) {
      return Error(Code::kInvalidArgument, path, ": tensor \"", tensor.name, "\": its size is not a multiple of ",
                   kAlignment, " bytes");
    }
    tensor.begin = offset;
    tensor.end = offset = *end;
  }
  THIMBLE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  Writer writer(std::move(file), std::move(layout));
  const std::string json = HeaderJson(writer.layout_);
  std::array<std::byte, 8> length;
  for (std::size_t i = 0; i < length.size(); ++i) length[i] = static_cast<std::byte>(json.size() >> (8 * i));
  writer.buffer_.reserve(kWriteBytes);
  THIMBLE_RETURN_IF_ERROR(writer.Write(length));
  THIMBLE_RETURN_IF_ERROR(writer.Write(std::as_bytes(std::span(json))));
  return writer;
}

Status Writer::Append(std::string_view name, std::span<const std::byte> bytes) {
  if (next_ == layout_.tensors.size() || layout_.tensors[next_].name != name) {
    return Error(Code::kInvalidArgument, file_.path(), ": tensor \"", name, "\" is not the next of the layout");
  }
  if (bytes.size() > layout_.tensors[next_].bytes() - written_) {
    return Error(Code::kInvalidArgument, file_.path(), ": tensor \"", name, "\": more than the ",
                 layout_.tensors[next_].bytes(), " bytes of its layout");
  }
  THIMBLE_RETURN_IF_ERROR(Write(bytes));
  written_ += bytes.size();
  if (written_ == layout_.tensors[next_].bytes()) {
    ++next_;
    written_ = 0;
  }
  return Status();
}

Status Writer::Finish() {
  if (next_ != layout_.tensors.size()) {
    return Error(Code::kInvalidArgument, file_.path(), ": tensor \"", layout_.tensors[next_].name,
                 "\" is not complete");
  }
  THIMBLE_RETURN_IF_ERROR(file_.Write(buffer_));
  return file_.Commit();
}

Status Writer::Write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::size_t count = std::min(bytes.size(), kWriteBytes - buffer_.size());
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + count);
    bytes = bytes.subspan(count);
    if (buffer_.size() < kWriteBytes) break;
    THIMBLE_RETURN_IF_ERROR(file_.Write(buffer_));
    buffer_.clear();
  }
  return Status();
}

}  // namespace thimble::format
