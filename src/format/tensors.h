// The tensors that matrices and tables are in a model file: for the converter, which writes them, and the encoder,
// which reads them.

#ifndef THIMBLE_FORMAT_TENSORS_H_
#define THIMBLE_FORMAT_TENSORS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "format/safetensors.h"
#include "format/weight_format.h"

namespace thimble::format {

struct StoredTensor {
  enum class Role : std::uint8_t { kWeight, kGroups, kScale, kComp, kBias };
  Role role = Role::kWeight;
  ElementType type = ElementType::kF32;
  std::size_t rank = 0;
  std::array<std::uint64_t, 5> sizes = {};

  std::span<const std::uint64_t> shape() const { return {sizes.data(), rank}; }
  std::size_t bytes() const;
  // What follows the name of the matrix or table, ".weight" for example.
  std::string_view suffix() const;
};

// In their order: the weights, then what else the format has.
std::vector<StoredTensor> TensorsOfMatrix(WeightFormat format, std::size_t outputs, std::size_t inputs);
std::vector<StoredTensor> TensorsOfTable(WeightFormat format, std::size_t rows, std::size_t width);

}  // namespace thimble::format

#endif  // THIMBLE_FORMAT_TENSORS_H_
