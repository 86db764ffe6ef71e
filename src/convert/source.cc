// Finding tensors, and turning what is stored into floats.

#include "convert/source.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "convert/onnx_weights.h"
#include "kernels/half.h"

namespace thimble::convert {
namespace {

// Far beyond any weight; its square and the sum of a row of them are still floats.
constexpr float kLargestValue = 1e15f;

}  // namespace

Result<Source> Source::Open(const std::string& path) {
  return path.ends_with(".onnx") ? OpenOnnx(path) : OpenSafetensors(path);
}

Result<Source> Source::OpenSafetensors(const std::string& path) {
  Source source;
  source.path_ = path;
  THIMBLE_ASSIGN_OR_RETURN(RegularFile file, RegularFile::Open(path));
  std::byte first[8] = {};
  if (file.size() >= sizeof first) THIMBLE_RETURN_IF_ERROR(file.ReadAt(0, first));
  THIMBLE_ASSIGN_OR_RETURN(std::uint64_t length, format::HeaderBytes(first, file.size(), path));
  std::string json(length, '\0');
  THIMBLE_RETURN_IF_ERROR(file.ReadAt(sizeof first, std::as_writable_bytes(std::span(json))));
  THIMBLE_ASSIGN_OR_RETURN(format::Header header, format::ParseHeader(json, file.size(), path));
  source.file_.emplace(std::move(file));
  source.data_begin_ = header.data_begin;
  for (format::TensorInfo& info : header.tensors) source.tensors_.push_back({std::move(info), 0});
  return source;
}

Result<Source> Source::OpenOnnx(const std::string& path) {
  Source source;
  source.path_ = path;
  THIMBLE_ASSIGN_OR_RETURN(OnnxModel model, convert::OpenOnnx(path));
  for (const WeightTensor& weight : model.weights->tensors()) {
    source.tensors_.push_back({{weight.name, format::ElementType::kF32, weight.shape, 0, 0}, source.tensors_.size()});
  }
  source.onnx_ = std::move(model.weights);
  return source;
}

Result<const SourceTensor*> Source::Find(std::string_view name, std::span<const std::uint64_t> shape) const {
  const std::string prefixed = "bert." + std::string(name);
  auto found = std::find_if(tensors_.begin(), tensors_.end(), [&](const SourceTensor& tensor) {
    return tensor.info.name == name || tensor.info.name == prefixed;
  });
  if (found == tensors_.end()) return Error(Code::kCorrupt, path_, ": tensor \"", name, "\" is missing");
  const format::TensorInfo& info = found->info;
  if (!std::equal(shape.begin(), shape.end(), info.shape.begin(), info.shape.end())) {
    return Error(Code::kCorrupt, path_, ": tensor \"", info.name, "\": expected shape ", format::ShapeText(shape),
                 ", found ", format::ShapeText(info.shape));
  }
  using enum format::ElementType;
  if (info.type != kF32 && info.type != kF16 && info.type != kBF16) {
    return Error(Code::kUnsupported, path_, ": tensor \"", info.name, "\": expected F32, F16 or BF16, found ",
                 format::ElementName(info.type));
  }
  return &*found;
}

// Fills the buffer with elements as they are stored.
Status Source::ReadBytes(const SourceTensor& tensor, std::uint64_t first, std::size_t count) {
  const std::size_t width = format::ElementBytes(tensor.info.type);
  buffer_.resize(count * width);
  return file_->ReadAt(data_begin_ + tensor.info.begin + first * width, buffer_);
}

Status Source::Read(const SourceTensor& tensor, std::uint64_t first, std::span<float> out) {
  THIMBLE_RETURN_IF_ERROR(onnx_ ? onnx_->Read(tensor.index, first, out) : ReadBytes(tensor, first, out.size()));
  bool finite = true, bounded = true;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (tensor.info.type == format::ElementType::kF32 && !onnx_) {
      std::memcpy(&out[i], &buffer_[4 * i], 4);
    } else if (!onnx_) {
      std::uint16_t bits;
      std::memcpy(&bits, &buffer_[2 * i], 2);
      out[i] = tensor.info.type == format::ElementType::kF16 ? kernels::HalfToFloat(bits)
                                                             : std::bit_cast<float>(std::uint32_t{bits} << 16);
    }
    finite &= std::isfinite(out[i]);
    bounded &= std::fabs(out[i]) <= kLargestValue;
  }
  if (finite && bounded) return Status();
  return Error(Code::kCorrupt, path_, ": tensor \"", tensor.info.name, "\" holds a value ",
               finite ? "beyond 1e15" : "that is not finite");
}

}  // namespace thimble::convert
