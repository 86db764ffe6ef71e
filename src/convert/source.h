// The weights of a Hugging Face folder, read piece by piece so that little is in memory at once.

#ifndef THIMBLE_CONVERT_SOURCE_H_
#define THIMBLE_CONVERT_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "format/safetensors.h"
#include "thimble/status.h"

namespace thimble::convert {

// An open model.safetensors. Move-only; Thread-compatible.
class Source {
 public:
  // kNotFound, kIo, or kCorrupt when it is not a safetensors file.
  static Result<Source> Open(const std::string& path);
  Source(Source&& other) noexcept;
  Source& operator=(Source&&) = delete;
  ~Source();

  // The tensor `name`, with or without "bert." before it, checked to be F32, F16 or BF16 of this shape. kCorrupt when
  // it is missing or has another shape; kUnsupported for another type. Valid while the source lives.
  Result<const format::TensorInfo*> Find(std::string_view name, std::span<const std::uint64_t> shape) const;

  // Elements [first, first + out.size()) of a tensor as floats. kCorrupt when one is not finite.
  Status Read(const format::TensorInfo& tensor, std::uint64_t first, std::span<float> out);

 private:
  Source(std::string path, int file) : path_(std::move(path)), file_(file) {}
  Status ReadBytes(std::uint64_t offset, std::span<std::byte> out);

  std::string path_;
  int file_;
  format::Header header_;
  std::vector<std::byte> buffer_;
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_SOURCE_H_
