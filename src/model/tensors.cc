// Types and shapes of stored weights; docs/format.md draws them.

#include "model/tensors.h"

#include "base/checked.h"

namespace thimble::inline v0_1 {

using enum format::ElementType;
using enum StoredTensor::Role;
using kernels::kStrip;
using kernels::WeightFormat;

std::string_view StoredTensor::suffix() const {
  static constexpr std::string_view kSuffixes[] = {".weight", ".groups", ".scale", ".comp", ".bias"};
  return kSuffixes[static_cast<std::size_t>(role)];
}

StoredTensors TensorsOfMatrix(WeightFormat format, std::size_t outputs, std::size_t inputs) {
  const std::uint64_t strips = outputs / kStrip;
  StoredTensors tensors;
  switch (format) {
    case WeightFormat::kF32:
    case WeightFormat::kF16:
      tensors.Add({kWeight, format == WeightFormat::kF32 ? kF32 : kF16, 3, {strips, inputs, kStrip}});
      break;
    case WeightFormat::kQ8:
      tensors.Add({kWeight, kI8, 4, {strips, inputs / 4, kStrip, 4}});
      break;
    case WeightFormat::kQ6:
      tensors.Add({kWeight, kU8, 5, {strips, inputs / 16, 3, kStrip, 4}});
      break;
    case WeightFormat::kQ4:
      tensors.Add({kWeight, kU8, 4, {strips, inputs / 8, kStrip, 4}});
      break;
  }
  if (kernels::IsTwoLevel(format)) {
    tensors.Add({kGroups, kU8, 2, {strips, kernels::MatrixLevels(format).StripGroupBytes(inputs)}});
  }
  if (kernels::IsInteger(format)) {
    tensors.Add({kScale, kF32, 1, {outputs}});
    tensors.Add({kComp, kI32, 1, {outputs}});
  }
  tensors.Add({kBias, kF32, 1, {outputs}});
  return tensors;
}

StoredTensors TensorsOfTable(WeightFormat format, std::size_t rows, std::size_t width) {
  StoredTensors tensors;
  if (kernels::IsTwoLevel(format)) {
    // Filled up to whole cache lines, as the scales are.
    tensors.Add({kWeight, kU8, 1, {RoundUp(rows * kernels::RowBytes(format, width), 64)}});
  } else {
    const format::ElementType type = format == WeightFormat::kF32 ? kF32 : format == WeightFormat::kF16 ? kF16 : kI8;
    tensors.Add({kWeight, type, 2, {rows, width}});
  }
  if (kernels::IsInteger(format)) tensors.Add({kScale, kF16, 1, {RoundUp(rows, 32)}});
  return tensors;
}

}  // namespace thimble::inline v0_1
