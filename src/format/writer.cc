// Writing model files.

#include "format/writer.h"

#include <algorithm>

#include "base/checked.h"
#include "base/error.h"
#include "format/reader.h"
#include "json/value.h"

namespace thimble::format {
namespace {

std::string HeaderJson(const Layout& layout) {
  json::Object metadata = {{std::string(kVersionKey), layout.version}};
  for (const auto& [key, value] : layout.metadata) metadata.Append(key) = value;
  json::Object header = {{"__metadata__", std::move(metadata)}};
  for (const TensorInfo& tensor : layout.tensors) {
    header.Append(tensor.name) = json::Object{{"dtype", ElementName(tensor.type)},
                                              {"shape", json::Array(tensor.shape.begin(), tensor.shape.end())},
                                              {"data_offsets", json::Array{tensor.begin, tensor.end}}};
  }
  return json::Value(std::move(header)).Text();
}

}  // namespace

Result<Writer> Writer::Create(const std::string& path, Layout layout) {
  std::uint64_t offset = 0;
  for (TensorInfo& tensor : layout.tensors) {
    auto elements = base::CheckedProduct(tensor.shape);
    auto bytes = elements ? base::CheckedMul(*elements, ElementBytes(tensor.type)) : std::nullopt;
    auto end = bytes ? base::CheckedAdd(offset, *bytes) : std::nullopt;
    if (!end || *bytes % kAlignment != 0) {
      return Error(Code::kInvalidArgument, path, ": tensor \"", tensor.name, "\": its size is not a multiple of ",
                   kAlignment, " bytes");
    }
    tensor.begin = offset;
    tensor.end = offset = *end;
  }
  THIMBLE_ASSIGN_OR_RETURN(base::AtomicFile file, base::AtomicFile::Create(path));
  Writer writer(std::move(file), std::move(layout));
  // Spaces follow the JSON, so that the data begins on a cache line.
  const std::size_t json_bytes = HeaderJson(writer.layout_).size() + writer.layout_.reserve;
  writer.header_bytes_ = base::RoundUp(json_bytes + sizeof(std::uint64_t), kAlignment);
  writer.buffer_.reserve(kWriteBytes);
  THIMBLE_RETURN_IF_ERROR(writer.Write(writer.Header()));
  return writer;
}

std::vector<std::byte> Writer::Header() const {
  std::string json = HeaderJson(layout_);
  json.resize(header_bytes_ - sizeof(std::uint64_t), ' ');
  std::vector<std::byte> header(header_bytes_);
  for (std::size_t i = 0; i < sizeof(std::uint64_t); ++i) header[i] = static_cast<std::byte>(json.size() >> (8 * i));
  std::copy_n(std::as_bytes(std::span(json)).begin(), json.size(), header.begin() + sizeof(std::uint64_t));
  return header;
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

Status Writer::Overwrite(std::string_view name, std::span<const std::byte> bytes) {
  THIMBLE_RETURN_IF_ERROR(WriteBuffer());
  for (std::size_t i = 0; i < next_; ++i) {
    const TensorInfo& tensor = layout_.tensors[i];
    if (tensor.name == name && bytes.size() <= tensor.bytes())
      return file_.WriteAt(header_bytes_ + tensor.begin, bytes);
  }
  return Error(Code::kInvalidArgument, file_.path(), ": tensor \"", name, "\" is not complete or smaller than ",
               bytes.size(), " bytes");
}

Status Writer::SetMetadata(const std::string& key, const std::string& value) {
  THIMBLE_RETURN_IF_ERROR(WriteBuffer());
  layout_.metadata.emplace_back(key, value);
  if (HeaderJson(layout_).size() + sizeof(std::uint64_t) > header_bytes_) {
    return Error(Code::kInvalidArgument, file_.path(), ": no room in the header for metadata \"", key, "\"");
  }
  return file_.WriteAt(0, Header());
}

Result<base::RegularFile> Writer::Flush() {
  THIMBLE_RETURN_IF_ERROR(WriteBuffer());
  return base::RegularFile::Share(file_.descriptor(), file_.path());
}

Status Writer::Finish() {
  if (next_ != layout_.tensors.size()) {
    return Error(Code::kInvalidArgument, file_.path(), ": tensor \"", layout_.tensors[next_].name,
                 "\" is not complete");
  }
  THIMBLE_RETURN_IF_ERROR(WriteBuffer());
  return file_.Commit();
}

Status Writer::WriteBuffer() {
  THIMBLE_RETURN_IF_ERROR(file_.Write(buffer_));
  buffer_.clear();
  return Status();
}

Status Writer::Write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::size_t count = std::min(bytes.size(), kWriteBytes - buffer_.size());
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + count);
    bytes = bytes.subspan(count);
    if (buffer_.size() < kWriteBytes) break;
    THIMBLE_RETURN_IF_ERROR(WriteBuffer());
  }
  return Status();
}

}  // namespace thimble::format
