// Types and shapes of stored weights; docs/format.md draws them.

#include "model/tensors.h"

#include "base/checked.h"

namespace thimble::model {

using enum format::ElementType;
using enum StoredTensor::Role;
using kernels::kStrip;
using kernels::WeightFormat;
using Stored = StoredTensor;

std::string_view StoredTensor::suffix() const {
  static constexpr char kSuffixes[][8] = {".weight", ".groups", ".scale", ".comp", ".bias"};
  return kSuffixes[static_cast<std::size_t>(role)];
}

std::vector<StoredTensor> TensorsOfMatrix(WeightFormat format, std::size_t outputs, std::size_t inputs) {
  const std::uint64_t strips = outputs / kStrip;
  std::vector<StoredTensor> tensors = {
      format == WeightFormat::kF32   ? Stored{kWeight, kF32, 3, {strips, inputs, kStrip}}
      : format == WeightFormat::kF16 ? Stored{kWeight, kF16, 3, {strips, inputs, kStrip}}
      : format == WeightFormat::kQ8  ? Stored{kWeight, kI8, 4, {strips, inputs / 4, kStrip, 4}}
      : format == WeightFormat::kQ6  ? Stored{kWeight, kU8, 5, {strips, inputs / 16, 3, kStrip, 4}}
                                     : Stored{kWeight, kU8, 4, {strips, inputs / 8, kStrip, 4}}};
  if (kernels::IsTwoLevel(format)) {
    tensors.push_back({kGroups, kU8, 2, {strips, kernels::MatrixLevels(format).StripGroupBytes(inputs)}});
  }
  if (kernels::IsInteger(format)) {
    tensors.push_back({kScale, kF32, 1, {outputs}});
    tensors.push_back({kComp, kI32, 1, {outputs}});
  }
  tensors.push_back({kBias, kF32, 1, {outputs}});
  return tensors;
}

std::vector<StoredTensor> TensorsOfTable(WeightFormat format, std::size_t rows, std::size_t width) {
  // Filled up to whole cache lines.
  if (kernels::IsTwoLevel(format)) {
    return {{kWeight, kU8, 1, {RoundUp(rows * kernels::RowBytes(format, width), 64)}},
            {kScale, kF16, 1, {RoundUp(rows, 32)}}};
  }
  if (format == WeightFormat::kQ8) return {{kWeight, kI8, 2, {rows, width}}, {kScale, kF16, 1, {RoundUp(rows, 32)}}};
  return {{kWeight, format == WeightFormat::kF32 ? kF32 : kF16, 2, {rows, width}}};
}

}  // namespace thimble::model
