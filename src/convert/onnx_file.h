// The graph of an ONNX file: its nodes and the places of its constant tensors. Nothing of the data is read.

#ifndef THIMBLE_CONVERT_ONNX_FILE_H_
#define THIMBLE_CONVERT_ONNX_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_map.h"
#include "format/safetensors.h"
#include "thimble/status.h"

namespace thimble::convert {

// All texts point into the mapped file.
struct OnnxTensor {
  std::string_view name;
  std::int64_t type = 0;  // TensorProto.DataType: 1 float, 10 float16, 16 bfloat16.
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  // Bytes from the start of the file.
  std::uint64_t bytes = 0;  // 0 when the data is elsewhere than in raw_data or float_data.
};

struct OnnxNode {
  std::string_view op;
  std::vector<std::string_view> inputs, outputs;
  float alpha = 1, beta = 1;              // Of Gemm.
  std::int64_t trans_a = 0, trans_b = 0;  // Of Gemm.
  int constant = -1;                      // Of Constant: the index of its tensor.
};

// Move-only. The graph is valid while this object lives.
class OnnxFile {
 public:
  // kNotFound, kIo, or kCorrupt when it is not an ONNX file.
  static Result<OnnxFile> Open(const std::string& path);

  const std::string& path() const { return map_.file().path(); }
  std::span<const std::byte> bytes() const { return map_.bytes(); }
  const std::vector<OnnxTensor>& tensors() const { return tensors_; }
  // The mapping, which keeps the graph's texts valid as long as it lives.
  FileMap TakeMap() && { return std::move(map_); }
  // In an order in which each comes behind those that it takes from.
  const std::vector<OnnxNode>& nodes() const { return nodes_; }

 private:
  explicit OnnxFile(FileMap map) : map_(std::move(map)) {}
  FileMap map_;
  std::vector<OnnxTensor> tensors_;
  std::vector<OnnxNode> nodes_;
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_ONNX_FILE_H_
