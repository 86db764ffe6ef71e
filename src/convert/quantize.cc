// Quantisers: plain rounding for int8, a search for the two-level form.

#include "convert/quantize.h"

#include <algorithm>
#include <cmath>

#include "kernels/half.h"

namespace thimble::convert {
namespace {

using format::TwoLevel;

// A row without a larger weight counts as zeros: the inverse of its scale could overflow.
constexpr float kLeastMagnitude = 1e-30f;

float LargestMagnitude(std::span<const float> row) {
  float largest = 0;
  for (float w : row) largest = std::max(largest, std::fabs(w));
  return largest;
}

std::int8_t RoundToCode(float value) {
  return static_cast<std::int8_t>(std::clamp(std::nearbyint(value), -127.0f, 127.0f));
}

// `importance` is null where all weights have the same.
float GroupError(const TwoLevel& levels, const float* w, const float* importance, float scale,
                 const GroupIntegers& group) {
  const float step = scale * static_cast<float>(group.multiplier), inverse = 1 / step;
  const float low = scale * static_cast<float>(group.offset), most = static_cast<float>(levels.largest_code());
  float error = 0;
  for (std::size_t i = 0; i < levels.group; ++i) {
    float q = std::min(most, std::max(0.0f, RoundFast((w[i] + low) * inverse)));
    float difference = q * step - low - w[i];
    error += difference * difference * (importance == nullptr ? 1 : importance[i]);
  }
  return error;
}

// Tries multipliers about the one that just covers the range, and offsets about the centre; a coarse search takes
// `stride` steps at a time.
GroupIntegers SearchGroup(const TwoLevel& levels, const float* w, const float* importance, float scale, int stride,
                          float* least_error) {
  const auto [low, high] = std::minmax_element(w, w + levels.group);
  const int most = levels.largest_code();
  const float range = levels.offsets ? *high - *low : 2 * std::max(-*low, *high);
  const float cover = std::max(range / (static_cast<float>(most) * scale), 1.0f);
  const float middle = -(*high + *low) / (2 * scale);
  const int first = std::clamp(static_cast<int>(std::floor(cover * 0.65f)), 1, levels.largest_multiplier());
  const int last = std::clamp(static_cast<int>(std::ceil(cover * 1.05f)) + 1, first, levels.largest_multiplier());
  GroupIntegers best;
  *least_error = INFINITY;
  auto attempt = [&](const GroupIntegers& group) {
    const float error = GroupError(levels, w, importance, scale, group);
    if (error < *least_error) {
      *least_error = error;
      best = group;
    }
  };
  for (int m = first; m <= last; m += stride) {
    if (!levels.offsets) {
      attempt({m, m * levels.half()});
      continue;
    }
    for (int step = -4; step <= 4; step += stride) {
      const float center = 0.5f * static_cast<float>(most * m) + middle;
      const int offset = static_cast<int>(std::nearbyint(center + 0.25f * static_cast<float>(step * m)));
      attempt({m, std::min(128, std::max({offset, most * m - 127, 0}))});
    }
  }
  return best;
}

// The scale of the least error of a coarse search; 0 for a row of zeros.
float SearchScale(const TwoLevel& levels, std::span<const float> row) {
  const float cover = CoveringScale(levels, row);
  if (cover == 0) return 0;
  // Where the largest multiplier is 4, the typical group had better have 3 of a larger scale than 4 of a smaller one.
  constexpr int kScales = 28;
  float least = INFINITY, best = 0;
  for (int i = 0; i < kScales; ++i) {
    const float scale = cover * (1.6f - 0.037f * static_cast<float>(i));
    float error = 0;
    for (std::size_t k = 0; k < row.size() && error < least; k += levels.group) {
      float group_error;
      SearchGroup(levels, row.data() + k, nullptr, scale, levels.largest_multiplier() > 4 ? 2 : 1, &group_error);
      error += group_error;
    }
    if (error < least) {
      least = error;
      best = scale;
    }
  }
  return best;
}

// The best groups and codes for a given scale.
void QuantizeGroups(const TwoLevel& levels, std::span<const float> row, float scale, TwoLevelRow* out) {
  const std::size_t groups = row.size() / levels.group;
  const auto most = static_cast<float>(levels.largest_code());
  out->group = levels.group;
  out->scale = scale;
  out->multipliers.assign(groups, 1);
  out->offsets.assign(groups, 0);
  out->codes.assign(row.size(), 0);
  if (scale == 0) return;
  for (std::size_t g = 0; g < groups; ++g) {
    float error;
    const float* w = row.data() + g * levels.group;
    const GroupIntegers group = SearchGroup(levels, w, nullptr, scale, 1, &error);
    out->multipliers[g] = static_cast<std::uint8_t>(group.multiplier);
    out->offsets[g] = static_cast<std::uint8_t>(group.offset);
    for (std::size_t i = 0; i < levels.group; ++i) {
      const float code = (w[i] / scale + static_cast<float>(group.offset)) / static_cast<float>(group.multiplier);
      out->codes[g * levels.group + i] = static_cast<std::uint8_t>(std::clamp(std::nearbyint(code), 0.0f, most));
    }
  }
}

}  // namespace

void RotateWeights(const kernels::Rotation& rotation, std::span<float> row) {
  const std::size_t third = rotation.three ? row.size() / 3 : row.size();
  std::vector<double> v(row.begin(), row.end());
  auto butterfly = [&](std::size_t i, std::size_t j) {
    double a = v[i], b = v[j];
    v[i] = a + b;
    v[j] = a - b;
  };
  for (std::size_t distance = 16; distance < 16 * rotation.vectors; distance *= 2) {
    for (std::size_t i = 0; i < v.size(); ++i) {
      if ((i % third & distance) == 0) butterfly(i, i + distance);
    }
  }
  for (std::size_t distance = 1; distance <= 2; distance *= 2) {
    for (std::size_t i = 0; i < v.size(); ++i) {
      if ((i & distance) == 0) butterfly(i, i + distance);
    }
  }
  if (rotation.three) {
    for (std::size_t i = 0; i < third; ++i) {
      double a = v[i], b = v[i + third], c = v[i + 2 * third];
      v[i] = (a + b + c) / std::sqrt(3.0);
      v[i + third] = (a - c) / std::sqrt(2.0);
      v[i + 2 * third] = (a - 2 * b + c) / std::sqrt(6.0);
    }
  }
  const double norm = static_cast<double>(4 * rotation.vectors);
  for (std::size_t i = 0; i < v.size(); ++i) row[i] = static_cast<float>(v[i] / norm);
}

GroupIntegers FitGroup(const TwoLevel& levels, const float* w, const float* importance, float scale) {
  float error;
  return SearchGroup(levels, w, importance, scale, 1, &error);
}

float CoveringScale(const TwoLevel& levels, std::span<const float> row) {
  // The widest group decides: its range, or a one-sided group whose far end must stay within an int8.
  float widest = 0;
  for (std::size_t k = 0; k < row.size(); k += levels.group) {
    const auto [low, high] = std::minmax_element(row.data() + k, row.data() + k + levels.group);
    const float side = std::max(-*low, *high);
    widest = std::max(widest, levels.offsets ? std::max(*high - *low, 1.15f * side) : 2 * side);
  }
  if (widest < kLeastMagnitude) return 0;
  return widest / static_cast<float>(levels.largest_code() * levels.largest_multiplier());
}

float CoveringScale(std::span<const float> row) {
  const float largest = LargestMagnitude(row);
  return largest < kLeastMagnitude ? 0 : largest / 127;
}

void QuantizeInt8(std::span<const float> row, Int8Row* out) {
  const float largest = LargestMagnitude(row);
  const bool zeros = largest < kLeastMagnitude;
  out->scale = zeros ? 0 : largest / 127;
  const float inverse = zeros ? 0 : 127 / largest;
  out->codes.resize(row.size());
  for (std::size_t k = 0; k < row.size(); ++k) out->codes[k] = RoundToCode(row[k] * inverse);
}

std::uint16_t QuantizeInt8Half(std::span<const float> row, std::int8_t* codes) {
  const float exact = LargestMagnitude(row) / 127;
  std::uint16_t bits = kernels::FloatToHalf(exact);
  if (kernels::HalfToFloat(bits) < exact) ++bits;  // The next larger binary16.
  const float scale = kernels::HalfToFloat(bits);
  for (std::size_t k = 0; k < row.size(); ++k) codes[k] = scale > 0 ? RoundToCode(row[k] / scale) : std::int8_t{0};
  return bits;
}

void QuantizeTwoLevel(const TwoLevel& levels, std::span<const float> row, TwoLevelRow* out) {
  QuantizeGroups(levels, row, SearchScale(levels, row), out);
}

std::uint16_t QuantizeTwoLevelHalf(const TwoLevel& levels, std::span<const float> row, TwoLevelRow* out) {
  const std::uint16_t bits = kernels::FloatToHalf(SearchScale(levels, row));
  QuantizeGroups(levels, row, kernels::HalfToFloat(bits), out);
  return bits;
}

}  // namespace thimble::convert
