// Reading tensors with pread: unlike a mapping, what was read does not stay in this process's resident memory.

#include "convert/source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/error.h"
#include "kernels/half.h"

namespace thimble::convert {
namespace {

std::string ShapeText(std::span<const std::uint64_t> shape) {
  std::string text = "[";
  for (std::uint64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

}  // namespace

Result<Source> Source::Open(const std::string& path) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return SystemError(errno, "cannot open", path);
  Source source(path, file);
  struct stat status = {};
  if (fstat(file, &status) != 0) return SystemError(errno, "cannot read the size of", path);
  if (!S_ISREG(status.st_mode)) return Error(Code::kInvalidArgument, path, ": expected a regular file");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  std::byte first[8] = {};
  if (size >= 8) THIMBLE_RETURN_IF_ERROR(source.ReadBytes(0, first));
  THIMBLE_ASSIGN_OR_RETURN(std::uint64_t length, format::HeaderBytes(first, size, path));
  std::string json(length, '\0');
  THIMBLE_RETURN_IF_ERROR(source.ReadBytes(8, std::as_writable_bytes(std::span(json))));
  THIMBLE_ASSIGN_OR_RETURN(source.header_, format::ParseHeader(json, size, path));
  return source;
}

Source::Source(Source&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, -1)), header_(std::move(other.header_)) {}

Source::~Source() {
  if (file_ >= 0) close(file_);
}

Status Source::ReadBytes(std::uint64_t offset, std::span<std::byte> out) {
  while (!out.empty()) {
    ssize_t count = pread(file_, out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(errno, "cannot read", path_);
    if (count == 0) return Error(Code::kIo, path_, ": became shorter while it was read");
    offset += static_cast<std::uint64_t>(count);
    out = out.subspan(static_cast<std::size_t>(count));
  }
  return Status();
}

Result<const format::TensorInfo*> Source::Find(std::string_view name, std::span<const std::uint64_t> shape) const {
  const std::string prefixed = "bert." + std::string(name);
  auto found = std::find_if(header_.tensors.begin(), header_.tensors.end(), [&](const format::TensorInfo& tensor) {
    return tensor.name == name || tensor.name == prefixed;
  });
  if (found == header_.tensors.end()) return Error(Code::kCorrupt, path_, ": tensor \"", name, "\" is missing");
  if (!std::equal(shape.begin(), shape.end(), found->shape.begin(), found->shape.end())) {
    return Error(Code::kCorrupt, path_, ": tensor \"", found->name, "\": expected shape ", ShapeText(shape), ", found ",
                 ShapeText(found->shape));
  }
  using enum format::ElementType;
  if (found->type != kF32 && found->type != kF16 && found->type != kBF16) {
    return Error(Code::kUnsupported, path_, ": tensor \"", found->name, "\": expected F32, F16 or BF16, found ",
                 format::ElementName(found->type));
  }
  return &*found;
}

Status Source::Read(const format::TensorInfo& tensor, std::uint64_t first, std::span<float> out) {
  const std::size_t width = format::ElementBytes(tensor.type);
  buffer_.resize(out.size() * width);
  THIMBLE_RETURN_IF_ERROR(ReadBytes(header_.data_begin + tensor.begin + first * width, buffer_));
  bool finite = true;
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
  }
  if (finite) return Status();
  return Error(Code::kCorrupt, path_, ": tensor \"", tensor.name, "\" holds a value that is not finite");
}

}  // namespace thimble::convert
