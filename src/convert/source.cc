// Reading tensors with pread: unlike a mapping, what was read does not stay in this process's resident memory.

#include "convert/source.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "kernels/half.h"

namespace thimble::convert {
namespace {

// Far beyond any weight; its square and the sum of a row of them are still floats.
constexpr float kLargestValue = 1e15f;

}  // namespace

Result<Source> Source::Open(const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(RegularFile file, RegularFile::Open(path));
  std::byte first[8] = {};
  if (file.size() >= sizeof first) THIMBLE_RETURN_IF_ERROR(file.ReadAt(0, first));
  THIMBLE_ASSIGN_OR_RETURN(std::uint64_t length, format::HeaderBytes(first, file.size(), path));
  std::string json(length, '\0');
  THIMBLE_RETURN_IF_ERROR(file.ReadAt(sizeof first, std::as_writable_bytes(std::span(json))));
  THIMBLE_ASSIGN_OR_RETURN(format::Header header, format::ParseHeader(json, file.size(), path));
  return Source(std::move(file), std::move(header));
}

Result<const format::TensorInfo*> Source::Find(std::string_view name, std::span<const std::uint64_t> shape) const {
  const std::string prefixed = "bert." + std::string(name);
  auto found = std::find_if(header_.tensors.begin(), header_.tensors.end(), [&](const format::TensorInfo& tensor) {
    return tensor.name == name || tensor.name == prefixed;
  });
  if (found == header_.tensors.end()) return Error(Code::kCorrupt, file_.path(), ": tensor \"", name, "\" is missing");
  if (!std::equal(shape.begin(), shape.end(), found->shape.begin(), found->shape.end())) {
    return Error(Code::kCorrupt, file_.path(), ": tensor \"", found->name, "\": expected shape ",
                 format::ShapeText(shape), ", found ", format::ShapeText(found->shape));
  }
  using enum format::ElementType;
  if (found->type != kF32 && found->type != kF16 && found->type != kBF16) {
    return Error(Code::kUnsupported, file_.path(), ": tensor \"", found->name, "\": expected F32, F16 or BF16, found ",
                 format::ElementName(found->type));
  }
  return &*found;
}

Status Source::Read(const format::TensorInfo& tensor, std::uint64_t first, std::span<float> out) {
  const std::size_t width = format::ElementBytes(tensor.type);
  buffer_.resize(out.size() * width);
  THIMBLE_RETURN_IF_ERROR(file_.ReadAt(header_.data_begin + tensor.begin + first * width, buffer_));
  bool finite = true, bounded = true;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (tensor.type == format::ElementType::kF32) {
      std::memcpy(&out[i], &buffer_[4 * i], 4);
    } else {
      std::uint16_t bits;
      std::memcpy(&bits, &buffer_[2 * i], 2);
      out[i] = tensor.type == format::ElementType::kF16 ? kernels::HalfToFloat(bits)
                                                        : std::bit_cast<float>(std::uint32_t{bits} << 16);
    }
    finite &= std::isfinite(out[i]);
    bounded &= std::fabs(out[i]) <= kLargestValue;
  }
  if (finite && bounded) return Status();
  return Error(Code::kCorrupt, file_.path(), ": tensor \"", tensor.name, "\" holds a value ",
               finite ? "beyond 1e15" : "that is not finite");
}

}  // namespace thimble::convert
