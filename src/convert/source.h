// The weights of a Hugging Face folder, from model.safetensors or an ONNX file, read piece by piece so that little is
// in memory at once.

#ifndef THIMBLE_CONVERT_SOURCE_H_
#define THIMBLE_CONVERT_SOURCE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/regular_file.h"
#include "convert/weight_file.h"
#include "format/safetensors.h"
#include "thimble/status.h"

namespace thimble::convert {

// A tensor of the source: `info` has the shape that it is read in.
struct SourceTensor {
  format::TensorInfo info;
  std::size_t index = 0;  // Among the weights of an ONNX file.
};

// An open file of weights. Move-only; Thread-compatible.
class Source {
 public:
  // An ONNX file when the path ends in .onnx, else a safetensors file. kNotFound, kIo, kCorrupt when it is not such a
  // file, kUnsupported when its graph is not that of an encoder.
  static Result<Source> Open(const std::string& path);

  // The tensor `name`, with or without "bert." before it, checked to be F32, F16 or BF16 of this shape. kCorrupt when
  // it is missing or has another shape; kUnsupported for another type. Valid while the source lives.
  Result<const SourceTensor*> Find(std::string_view name, std::span<const std::uint64_t> shape) const;

  // Elements [first, first + out.size()) of a tensor as floats, row by row. kCorrupt when one is not finite or absurdly
  // large.
  Status Read(const SourceTensor& tensor, std::uint64_t first, std::span<float> out);

 private:
  Source() = default;
  static Result<Source> OpenSafetensors(const std::string& path);
  static Result<Source> OpenOnnx(const std::string& path);
  Status ReadBytes(const SourceTensor& tensor, std::uint64_t first, std::size_t count);

  std::string path_;
  std::optional<RegularFile> file_;  // One of the two.
  std::unique_ptr<WeightFile> onnx_;
  std::uint64_t data_begin_ = 0;
  std::vector<SourceTensor> tensors_;
  std::vector<std::byte> buffer_;
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_SOURCE_H_
