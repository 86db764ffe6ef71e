// Quantising and rotating rows of weights.

#ifndef THIMBLE_CONVERT_QUANTIZE_H_
#define THIMBLE_CONVERT_QUANTIZE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "format/weight_format.h"
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

// w ~ scale * (multiplier * code - offset), the last two for each group of weights; see format::TwoLevel.
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
// Nearest integer for |x| < 2^22 by pushing the fraction out of the mantissa: it vectorises everywhere.
inline float RoundFast(float x) {
  constexpr float kShift = 12582912.0f;  // 1.5 * 2^23
  return (x + kShift) - kShift;
}

// A group's integers: w ~ scale * (multiplier * code - offset).
struct GroupIntegers {
  int multiplier = 1;
  int offset = 0;
};
// Searches those of a group for the least squared error, that of each weight times its `importance`, which may be null;
// scale > 0.
GroupIntegers FitGroup(const format::TwoLevel& levels, const float* w, const float* importance, float scale);
// The scale with which the widest group of a row just fits; 0 for a row of zeros.
float CoveringScale(const format::TwoLevel& levels, std::span<const float> row);
// The same of QuantizeInt8.
float CoveringScale(std::span<const float> row);

// Searches the scale, and for each group multiplier and offset, for the least squared error. row.size() is a multiple
// of levels.group.
void QuantizeTwoLevel(const format::TwoLevel& levels, std::span<const float> row, TwoLevelRow* out);
// The same with a scale that is binary16; returns its bits.
std::uint16_t QuantizeTwoLevelHalf(const format::TwoLevel& levels, std::span<const float> row, TwoLevelRow* out);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_QUANTIZE_H_
