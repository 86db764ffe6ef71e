// The graph of an ONNX file: its nodes, constant tensors, inputs and outputs, with local functions inlined. Where the
// tensors' data lies is known; none of it is read.

#ifndef THIMBLE_CONVERT_ONNX_FILE_H_
#define THIMBLE_CONVERT_ONNX_FILE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_map.h"
#include "thimble/status.h"

namespace thimble::convert {

// TensorProto.DataType.
enum class OnnxType : std::int32_t {
  kFloat = 1,
  kUint8 = 2,
  kInt8 = 3,
  kUint16 = 4,
  kInt16 = 5,
  kInt32 = 6,
  kInt64 = 7,
  kBool = 9,
  kFloat16 = 10,
  kDouble = 11,
  kUint32 = 12,
  kUint64 = 13,
  kBfloat16 = 16,
  kUint4 = 21,
  kInt4 = 22,
};

// All texts are valid while the file lives.
struct OnnxTensor {
  std::string_view name;
  OnnxType type{};
  std::vector<std::uint64_t> shape;
  std::span<const std::byte> data;  // Of raw_data or one of the typed lists.
  bool varints = false;             // `data` are varints, of int32_data, int64_data or uint64_data.
  bool external = false;            // The data is in the file `location` beside the model.
  std::string_view location, offset, length;
};

struct OnnxAttribute {
  std::string_view name;
  std::string_view text;
  std::int64_t integer = 0;
  float real = 0;
  std::vector<std::int64_t> integers;
  std::vector<float> reals;
  int tensor = -1;         // Index in OnnxFile::tensors().
  std::string_view outer;  // Of a function's node: the attribute of the call that this one is.
};

struct OnnxNode {
  std::string_view name, op, domain;  // The domain of ONNX itself is empty.
  std::vector<std::string_view> inputs, outputs;
  std::vector<OnnxAttribute> attributes;
};

// Move-only.
class OnnxFile {
 public:
  // kNotFound, kIo, or kCorrupt when it is not an ONNX file or beyond a limit.
  static Result<OnnxFile> Open(const std::string& path);

  const std::string& path() const { return map_.file().path(); }
  const std::vector<OnnxTensor>& tensors() const { return tensors_; }
  const std::vector<OnnxNode>& nodes() const { return nodes_; }
  const std::vector<std::string_view>& inputs() const { return inputs_; }
  const std::vector<std::string_view>& outputs() const { return outputs_; }

 private:
  friend class OnnxParser;
  explicit OnnxFile(base::FileMap map) : map_(std::move(map)) {}
  base::FileMap map_;
  std::vector<OnnxTensor> tensors_;
  std::vector<OnnxNode> nodes_;
  std::vector<std::string_view> inputs_, outputs_;
  std::deque<std::string> names_;  // Of what is inside an inlined function.
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_ONNX_FILE_H_
