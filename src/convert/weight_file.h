// A file of named weights, whatever its format, read piece by piece so that little is in memory at once.

#ifndef THIMBLE_CONVERT_WEIGHT_FILE_H_
#define THIMBLE_CONVERT_WEIGHT_FILE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "thimble/status.h"

namespace thimble::convert {

struct WeightTensor {
  std::string name;                  // As the file calls it; of a graph, as model.safetensors would.
  std::vector<std::uint64_t> shape;  // That it is read in, whose product fits 64 bits.
};

// Thread-compatible.
class WeightFile {
 public:
  virtual ~WeightFile() = default;

  const std::string& path() const { return path_; }
  const std::vector<WeightTensor>& tensors() const { return tensors_; }

  // Elements [first, first + out.size()) of tensors()[index], row by row, as floats; they must be there. kUnsupported,
  // naming the tensor and its type, where its elements are no floating-point numbers; kIo.
  virtual Status Read(std::size_t index, std::uint64_t first, std::span<float> out) = 0;

 protected:
  explicit WeightFile(std::string path) : path_(std::move(path)) {}

  std::string path_;
  std::vector<WeightTensor> tensors_;  // Names are distinct.
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_WEIGHT_FILE_H_
