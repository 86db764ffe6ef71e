// Quantisers: plain rounding for int8, a search for the two-level form of q4.

#include "convert/quantize.h"

#include <algorithm>
#include <cmath>

#include "kernels/half.h"

namespace thimble::convert {
namespace {

using kernels::kQ4Group;

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
float GroupError(const float* w, const float* importance, float scale, const GroupIntegers& group) {
  const float step = scale * static_cast<float>(group.multiplier), inverse = 1 / step;
  const float low = scale * static_cast<float>(group.offset);
  float error = 0;
  for (std::size_t i = 0; i < kQ4Group; ++i) {
    float q = std::min(15.0f, std::max(0.0f, RoundFast((w[i] + low) * inverse)));
    float difference = q * step - low - w[i];
    error += difference * difference * (importance == nullptr ? 1 : importance[i]);
  }
  return error;
}

// Tries multipliers about the one that just covers the range, and offsets about the centre; a coarse search takes
// `stride` steps at a time.
GroupIntegers SearchGroup(const float* w, const float* importance, float scale, int stride, float* least_error) {
  const auto [low, high] = std::minmax_element(w, w + kQ4Group);
  const float cover = std::max((*high - *low) / (15 * scale), 1.0f);
  const float middle = -(*high + *low) / (2 * scale);
  const int first = std::clamp(static_cast<int>(std::floor(cover * 0.65f)), 1, 16);
  const int last = std::clamp(static_cast<int>(std::ceil(cover * 1.05f)) + 1, first, 16);
  GroupIntegers best;
  *least_error = INFINITY;
  for (int m = first; m <= last; m += stride) {
    for (int step = -4; step <= 4; step += stride) {
      float center = 7.5f * static_cast<float>(m) + middle;
      int offset = static_cast<int>(std::nearbyint(center + 0.25f * static_cast<float>(step * m)));
      GroupIntegers group = {m, std::min(128, std::max({offset, 15 * m - 127, 0}))};
      float error = GroupError(w, importance, scale, group);
      if (error < *least_error) {
        *least_error = error;
        best = group;
      }
    }
  }
  return best;
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

float Int8Scale(std::span<const float> row) {
  const float largest = LargestMagnitude(row);
  return largest < kLeastMagnitude ? 0 : largest / 127;
}

GroupIntegers FitGroup(const float* w, const float* importance, float scale) {
  float error;
  return SearchGroup(w, importance, scale, 1, &error);
}

float TwoLevelScale(std::span<const float> row) {
  // The widest group decides: its range, or a one-sided group whose far end must stay within an int8.
  float widest = 0;
  for (std::size_t g = 0; g < row.size() / kQ4Group; ++g) {
    const auto [low, high] = std::minmax_element(row.data() + g * kQ4Group, row.data() + (g + 1) * kQ4Group);
    widest = std::max({widest, *high - *low, 1.15f * std::max(-*low, *high)});
  }
  return widest < kLeastMagnitude ? 0 : widest / (15 * 16);
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

void QuantizeQ4(std::span<const float> row, Q4Row* out) {
  const std::size_t groups = row.size() / kQ4Group;
  out->multipliers.assign(groups, 1);
  out->offsets.assign(groups, 0);
  out->codes.assign(row.size(), 0);
  out->scale = 0;
  const float cover = TwoLevelScale(row);
  if (cover <= 0) return;
  constexpr int kScales = 14;
  float least = INFINITY;
  for (int i = 0; i < kScales; ++i) {
    const float scale = cover * (1.04f - 0.035f * static_cast<float>(i));
    float error = 0;
    for (std::size_t g = 0; g < groups && error < least; ++g) {
      float group_error;
      SearchGroup(row.data() + g * kQ4Group, nullptr, scale, 2, &group_error);
      error += group_error;
    }
    if (error < least) {
      least = error;
      out->scale = scale;
    }
  }
  for (std::size_t g = 0; g < groups; ++g) {
    float error;
    const float* w = row.data() + g * kQ4Group;
    GroupIntegers group = SearchGroup(w, nullptr, out->scale, 1, &error);
    out->multipliers[g] = static_cast<std::uint8_t>(group.multiplier);
    out->offsets[g] = static_cast<std::uint8_t>(group.offset);
    for (std::size_t i = 0; i < kQ4Group; ++i) {
      float code = (w[i] / out->scale + static_cast<float>(group.offset)) / static_cast<float>(group.multiplier);
      out->codes[g * kQ4Group + i] = static_cast<std::uint8_t>(std::clamp(std::nearbyint(code), 0.0f, 15.0f));
    }
  }
}

}  // namespace thimble::convert
