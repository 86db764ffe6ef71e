// Types and shapes of stored weights; docs/format.md draws them.

#include "format/tensors.h"

#include "base/checked.h"

namespace thimble::format {

using enum ElementType;
using enum StoredTensor::Role;
using Stored = StoredTensor;

std::size_t StoredTensor::bytes() const {
  std::size_t bytes = ElementBytes(type);
  for (std::uint64_t size : shape()) bytes *= size;
  return bytes;
}

std::string_view StoredTensor::suffix() const {
  static constexpr char kSuffixes[][8] = {".weight", ".groups", ".scale", ".comp", ".bias"};
  return kSuffixes[static_cast<std::size_t>(role)];
}

std::vector<StoredTensor> TensorsOfMatrix(WeightFormat format, std::size_t outputs, std::size_t inputs) {
  const std::uint64_t strips = outputs / kStrip;
  std::vector<StoredTensor> tensors;
  if (IsTwoLevel(format)) {
    const TwoLevel& levels = MatrixLevels(format);
    const std::uint64_t bundles = inputs / (4 * levels.bundle_lines()), lines = levels.stored_lines();
    tensors.push_back(lines == 1 ? Stored{kWeight, kU8, 4, {strips, bundles, kStrip, 4}}
                                 : Stored{kWeight, kU8, 5, {strips, bundles, lines, kStrip, 4}});
    tensors.push_back({kGroups, kU8, 2, {strips, levels.StripGroupBytes(inputs)}});
  } else if (format == WeightFormat::kQ8) {
    tensors.push_back({kWeight, kI8, 4, {strips, inputs / 4, kStrip, 4}});
  } else {
    tensors.push_back({kWeight, format == WeightFormat::kF32 ? kF32 : kF16, 3, {strips, inputs, kStrip}});
  }
  if (IsInteger(format)) {
    tensors.push_back({kScale, kF32, 1, {outputs}});
    tensors.push_back({kComp, kI32, 1, {outputs}});
  }
  tensors.push_back({kBias, kF32, 1, {outputs}});
  return tensors;
}

std::vector<StoredTensor> TensorsOfTable(WeightFormat format, std::size_t rows, std::size_t width) {
  if (!IsInteger(format)) return {{kWeight, format == WeightFormat::kF32 ? kF32 : kF16, 2, {rows, width}}};
  // Filled up to whole cache lines.
  const Stored scale = {kScale, kF16, 1, {base::RoundUp(rows, 32)}};
  if (format == WeightFormat::kQ8) return {{kWeight, kI8, 2, {rows, width}}, scale};
  return {{kWeight, kU8, 1, {base::RoundUp(rows * RowBytes(format, width), 64)}}, scale};
}

}  // namespace thimble::format
