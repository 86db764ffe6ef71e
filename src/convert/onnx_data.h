// The numbers of an ONNX file's tensors, in the file or beside it, and as what they stand for where they are quantised.

#ifndef THIMBLE_CONVERT_ONNX_DATA_H_
#define THIMBLE_CONVERT_ONNX_DATA_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/file_map.h"
#include "convert/onnx_file.h"
#include "thimble/status.h"

namespace thimble::convert {

// "int8" and so on, as ONNX calls a type; "type 99" for one it lacks.
std::string OnnxTypeName(OnnxType type);

// How stored integers stand for numbers: (integer - zero) * scale.
struct OnnxQuantization {
  std::size_t scale = 0;            // Index of a tensor, like `zero`.
  std::optional<std::size_t> zero;  // Else `default_zero`.
  double default_zero = 0;
  // The stored tensor seen as [outer][axis][inner], with one scale for each [outer][axis / block][inner]. A `block` of
  // 0 stands for one scale of all, or one for each [axis] where `per_axis`.
  std::uint64_t axis = 1, inner = 1, block = 0;
  bool per_axis = false;
  // Of integers packed into bytes, lowest bits first: rows of `axis` integers and of their zeros each begin a byte.
  std::uint64_t bits = 0;
};

// A constant of the graph, possibly a part of a tensor or its transpose, of rank 1 or 2.
struct OnnxWeight {
  std::size_t tensor = 0;
  std::vector<std::uint64_t> shape;    // That it is read in.
  std::uint64_t offset = 0;            // Element of the tensor that is the first one here.
  std::vector<std::uint64_t> strides;  // In elements.
  std::optional<OnnxQuantization> quantization;
};

// Move-only; Thread-compatible.
class OnnxData {
 public:
  explicit OnnxData(OnnxFile file) : file_(std::move(file)), loaded_(file_.tensors().size()) {}

  const OnnxFile& file() const { return file_; }

  // Finds the data of a tensor. kCorrupt when they are not as many as its shape says or not to be found, kUnsupported
  // for a type that holds no numbers, kInvalidArgument for a place outside the model's folder. Once it is ok, At() may
  // be called.
  Status Load(std::size_t tensor);
  // Load() of all that the weight needs, and a check that its scales are as many as it has.
  Status Load(const OnnxWeight& weight);

  // Paths of the files of external data that were loaded, in the order of their names.
  std::vector<std::string> external_files() const;

  double At(std::size_t tensor, std::uint64_t index) const;

  // Elements [first, first + out.size()) of a weight that is loaded, row by row.
  void Read(const OnnxWeight& weight, std::uint64_t first, std::span<float> out) const;

  std::uint64_t Elements(std::size_t tensor) const { return loaded_[tensor].elements; }

 private:
  struct Loaded {
    std::span<const std::byte> bytes;
    std::vector<std::int64_t> integers;  // Of varints.
    std::uint64_t elements = 0;
    bool done = false;
  };
  Status LoadExternal(const OnnxTensor& tensor, std::uint64_t bytes, Loaded* loaded);
  float Dequantized(const OnnxWeight& weight, std::uint64_t index) const;

  OnnxFile file_;
  std::vector<Loaded> loaded_;
  std::map<std::string, base::FileMap, std::less<>> maps_;  // Of external data, by location.
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_ONNX_DATA_H_
