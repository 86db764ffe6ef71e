// The tensors that matrices and tables are in a model file: for the converter, which writes them, and the encoder,
// which reads them.

#ifndef THIMBLE_MODEL_TENSORS_H_
#define THIMBLE_MODEL_TENSORS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "format/safetensors.h"
#include "kernels/matrix.h"

namespace thimble::model {

struct StoredTensor {
  enum class Role : std::uint8_t { kWeight, kGroups, kScale, kComp, kBias };
  Role role = Role::kWeight;
  format::ElementType type = format::ElementType::kF32;
  std::size_t rank = 0;
  std::array<std::uint64_t, 5> sizes = {};

  std::span<const std::uint64_t> shape() const { return {sizes.data(), rank}; }
  // What follows the name of the matrix or table, ".weight" for example.
  std::string_view suffix() const;
};

// In their order.
std::vector<StoredTensor> TensorsOfMatrix(kernels::WeightFormat format, std::size_t outputs, std::size_t inputs);
std::vector<StoredTensor> TensorsOfTable(kernels::WeightFormat format, std::size_t rows, std::size_t width);

}  // namespace thimble::model

#endif  // THIMBLE_MODEL_TENSORS_H_
