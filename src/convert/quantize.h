// Quantising and rotating rows of weights.

#ifndef THIMBLE_CONVERT_QUANTIZE_H_
#define THIMBLE_CONVERT_QUANTIZE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/matrix.h"

namespace thimble::convert {

// Replaces a row of weights w by w' with (x R) . w' = x . w for the kernels' rotation R: R R^T = 4 vectors I, so
// w' = (w R) / (4 vectors).
void RotateWeights(const kernels::Rotation& rotation, std::span<float> row);

// w ~ scale * code.
struct Int8Row {
  float scale = 0;
  std::vector<std::int8_t> codes;
};
// Symmetric: scale = max|w| / 127, codes rounded to the nearest. A row of zeros has scale 0.
void QuantizeInt8(std::span<const float> row, Int8Row* out);
// The same with a scale that is binary16, rounded up so that codes stay within 127; returns its bits.
std::uint16_t QuantizeInt8Half(std::span<const float> row, std::int8_t* codes);

// w ~ scale * (multiplier * code - offset), the last two for each group of weights; see kernels::TwoLevel.
struct TwoLevelRow {
  std::size_t group = 0;
  float scale = 0;
  std::vector<std::uint8_t> multipliers;  // 1 to the largest of the form.
  std::vector<std::uint8_t> offsets;      // 0 to 128, and multiplier * largest code - offset <= 127.
  std::vector<std::uint8_t> codes;

  // multiplier * code - offset of weight k: an int8.
  std::int8_t Value(std::size_t k) const {
    return static_cast<std::int8_t>(multipliers[k / group] * codes[k] - offsets[k / group]);
  }
};
// Searches the scale, and for each group multiplier and offset, for the least squared error. row.size() is a multiple
// of levels.group.
void QuantizeTwoLevel(const kernels::TwoLevel& levels, std::span<const float> row, TwoLevelRow* out);
// The same with a scale that is binary16; returns its bits.
std::uint16_t QuantizeTwoLevelHalf(const kernels::TwoLevel& levels, std::span<const float> row, TwoLevelRow* out);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_QUANTIZE_H_
