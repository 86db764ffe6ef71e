// The weights of a Hugging Face folder, read piece by piece so that little is in memory at once.

#ifndef THIMBLE_CONVERT_SOURCE_H_
#define THIMBLE_CONVERT_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/regular_file.h"
#include "format/safetensors.h"
#include "thimble/status.h"

namespace thimble::convert {

// An open model.safetensors. Move-only; Thread-compatible.
class Source {
 public:
  // kNotFound, kIo, or kCorrupt when it is not a safetensors file.
  static Result<Source> Open(const std::string& path);

  // The tensor `name`, with or without "bert." before it, checked to be F32, F16 or BF16 of this shape. kCorrupt when
  // it is missing or has another shape; kUnsupported for another type. Valid while the source lives.
  Result<const format::TensorInfo*> Find(std::string_view name, std::span<const std::uint64_t> shape) const;

  // Elements [first, first + out.size()) of a tensor as floats. kCorrupt when one is not finite or absurdly
  // large.
  Status Read(const format::TensorInfo& tensor, std::uint64_t first, std::span<float> out);

 private:
  Source(RegularFile file, format::Header header) : file_(std::move(file)), header_(std::move(header)) {}

  RegularFile file_;
  format::Header header_;
  std::vector<std::byte> buffer_;
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_SOURCE_H_
