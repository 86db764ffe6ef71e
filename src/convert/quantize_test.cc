// Tests of rotation and of the quantisers, against their definitions written out plainly.

#include "convert/quantize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "kernels/half.h"
#include "kernels/kernels.h"

namespace thimble::convert {
namespace {

using format::WeightFormat;
using kernels::Rotation;

constexpr const format::TwoLevel& kQ4Levels = format::MatrixLevels(WeightFormat::kQ4);
constexpr const format::TwoLevel& kQ6Levels = format::MatrixLevels(WeightFormat::kQ6);

std::vector<float> RandomRow(std::size_t size, std::uint32_t seed, float deviation = 0.05f) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, deviation);
  std::vector<float> row(size);
  for (float& value : row) value = normal(random);
  return row;
}

// Element (from, to) of R, from docs/format.md, without a butterfly.
double RotationElement(const Rotation& rotation, std::size_t width, std::size_t from, std::size_t to) {
  static const double thirds[3][3] = {{1 / std::sqrt(3.0), 1 / std::sqrt(2.0), 1 / std::sqrt(6.0)},
                                      {1 / std::sqrt(3.0), 0, -2 / std::sqrt(6.0)},
                                      {1 / std::sqrt(3.0), -1 / std::sqrt(2.0), 1 / std::sqrt(6.0)}};
  const std::size_t third = rotation.three ? width / 3 : width;
  double value = rotation.three ? thirds[from / third][to / third] : 1;
  from %= third;
  to %= third;
  // What a transform does not mix keeps its place: the run of vectors, and the four lanes.
  const std::size_t run = 16 * rotation.vectors;
  if (from / run != to / run || from % 16 / 4 != to % 16 / 4) return 0;
  const std::size_t signs = (from / 16 & to / 16 & (rotation.vectors - 1)) << 2 | (from & to & 3);
  return std::popcount(signs) % 2 == 0 ? value : -value;
}

class EveryWidth : public testing::TestWithParam<std::size_t> {};

TEST_P(EveryWidth, RotationIsOrthogonalUpToItsFactor) {
  const std::size_t width = GetParam();
  const Rotation rotation = kernels::RotationFor(width);
  // Rows of one run and of its neighbours meet every other kind of row.
  for (std::size_t a = 0; a < std::min<std::size_t>(width, 144); ++a) {
    for (std::size_t b = a; b < width; b += 13) {
      double product = 0;
      for (std::size_t k = 0; k < width; ++k) {
        product += RotationElement(rotation, width, a, k) * RotationElement(rotation, width, b, k);
      }
      ASSERT_NEAR(product, a == b ? 4.0 * static_cast<double>(rotation.vectors) : 0.0, 1e-12) << a << " " << b;
    }
  }
}

TEST_P(EveryWidth, RotatedWeightsAreTheRowTimesTheRotation) {
  const std::size_t width = GetParam();
  const Rotation rotation = kernels::RotationFor(width);
  const std::vector<float> row = RandomRow(width, 1);
  std::vector<float> rotated = row;
  RotateWeights(rotation, rotated);
  for (std::size_t to = 0; to < width; ++to) {
    double expected = 0;
    for (std::size_t from = 0; from < width; ++from) {
      expected += row[from] * RotationElement(rotation, width, from, to);
    }
    expected /= 4 * static_cast<double>(rotation.vectors);
    // Computed in double, rounded to float once; the sum is of values up to 0.25.
    ASSERT_NEAR(rotated[to], expected, std::ldexp(std::fabs(expected), -24) + 1e-15) << to;
  }
}

// The kernels rotate x, the converter w; what is left is the rounding of x to int8: half a step for each product.
TEST_P(EveryWidth, RotatedInputsTimesRotatedWeightsIsTheOriginalProduct) {
  const std::size_t width = GetParam();
  const Rotation rotation = kernels::RotationFor(width);
  const std::vector<float> x = RandomRow(width, 2, 1.0f), w = RandomRow(width, 3);
  std::vector<float> rotated = w, workspace(width);
  RotateWeights(rotation, rotated);
  std::vector<std::uint8_t> codes(width);
  float scale = 0;
  auto scalar = kernels::FindKernels("scalar");
  ASSERT_TRUE(scalar.ok());
  (*scalar)->quantize(x.data(), 1, width, &rotation, workspace.data(),
                      {.values = codes.data(), .stride = width, .scale = &scale});
  double product = 0, found = 0, weights = 0;
  for (std::size_t k = 0; k < width; ++k) {
    product += double{x[k]} * w[k];
    found += double{scale} * (codes[k] - 128) * rotated[k];
    weights += std::fabs(rotated[k]);
  }
  EXPECT_GT(scale, 0.0f);
  // The last part is for float rounding of x R, of sums of at most 96 values.
  EXPECT_NEAR(found, product, weights * scale * (0.5 + 127 * std::ldexp(8.0, -24)));
}

INSTANTIATE_TEST_SUITE_P(Widths, EveryWidth, testing::Values(64, 128, 192, 384, 768, 1024, 1536));

TEST(QuantizeInt8, RoundsToTheNearestOf255Codes) {
  const std::vector<float> row = RandomRow(256, 4);
  Int8Row out;
  QuantizeInt8(row, &out);
  float largest = 0;
  for (float w : row) largest = std::max(largest, std::fabs(w));
  EXPECT_EQ(out.scale, largest / 127);
  int reach = 0;
  for (std::size_t k = 0; k < row.size(); ++k) {
    reach = std::max(reach, std::abs(out.codes[k]));
    // Half a step; the inverse of the scale is rounded too.
    EXPECT_LE(std::fabs(out.scale * static_cast<float>(out.codes[k]) - row[k]), out.scale * 0.50005f);
  }
  EXPECT_EQ(reach, 127);
}

TEST(QuantizeInt8, BreaksTiesToEven) {
  Int8Row out;
  QuantizeInt8(std::vector<float>{127.0f, 0.5f, 1.5f, -2.5f, -127.0f}, &out);
  EXPECT_EQ(out.codes, (std::vector<std::int8_t>{127, 0, 2, -2, -127}));
}

TEST(QuantizeInt8, RowsOfZerosOrAlmostHaveScaleZero) {
  for (float value : {0.0f, 1e-45f, 1e-38f}) {
    Int8Row out;
    QuantizeInt8(std::vector<float>{value, 0.0f, -value, 0.0f}, &out);
    EXPECT_EQ(out.scale, 0.0f) << value;
    EXPECT_EQ(out.codes, (std::vector<std::int8_t>{0, 0, 0, 0})) << value;
  }
}

TEST(QuantizeInt8Half, ScaleIsTheNextBinary16SoThatNoCodeIsClamped) {
  std::mt19937 random(5);
  for (int i = 0; i < 2000; ++i) {
    // From subnormal scales to large ones.
    const float size = std::ldexp(1.0f, static_cast<int>(random() % 40) - 24);
    const std::vector<float> row = RandomRow(32, static_cast<std::uint32_t>(i), size);
    std::vector<std::int8_t> codes(row.size());
    const std::uint16_t bits = QuantizeInt8Half(row, codes.data());
    const float scale = kernels::HalfToFloat(bits);
    float largest = 0;
    for (float w : row) largest = std::max(largest, std::fabs(w));
    ASSERT_GE(scale, largest / 127);
    ASSERT_TRUE(bits == 0 || kernels::HalfToFloat(static_cast<std::uint16_t>(bits - 1)) < largest / 127);
    for (std::size_t k = 0; k < row.size(); ++k) {
      ASSERT_LE(std::fabs(scale * static_cast<float>(codes[k]) - row[k]), scale * 0.50001f);
    }
  }
}

double SquaredError(const std::vector<float>& row, const TwoLevelRow& quantised) {
  double error = 0;
  for (std::size_t k = 0; k < row.size(); ++k) {
    const double difference = double{quantised.scale} * quantised.Value(k) - row[k];
    error += difference * difference;
  }
  return error;
}

// Codes between the least and the largest of each group, both exact.
double PlainSquaredError(const format::TwoLevel& levels, const std::vector<float>& row) {
  double error = 0;
  for (std::size_t g = 0; g < row.size(); g += levels.group) {
    const auto [low, high] = std::minmax_element(row.begin() + g, row.begin() + g + levels.group);
    const double step = double{*high - *low} / levels.largest_code();
    for (std::size_t k = g; k < g + levels.group; ++k) {
      const double difference = *low + step * std::nearbyint((row[k] - *low) / step) - row[k];
      error += difference * difference;
    }
  }
  return error;
}

class EveryTwoLevelForm : public testing::TestWithParam<format::TwoLevel> {};

TEST_P(EveryTwoLevelForm, StaysWithinItsIntegers) {
  const format::TwoLevel levels = GetParam();
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    std::vector<float> row = RandomRow(512, seed);
    for (std::size_t k = 0; k < 64; ++k) row[k] = std::fabs(row[k]) + 0.1f;   // Groups of one sign,
    for (std::size_t k = 64; k < 128; ++k) row[k] = -0.2f - 0.01f * row[k];   // far from zero,
    for (std::size_t k = 128; k < 192; ++k) row[k] = k == 140 ? 0.4f : 0.0f;  // with an outlier,
    for (std::size_t k = 192; k < 256; ++k) row[k] = 0;                       // and of zeros.
    TwoLevelRow out;
    QuantizeTwoLevel(levels, row, &out);
    ASSERT_GT(out.scale, 0.0f);
    ASSERT_EQ(out.codes.size(), row.size());
    ASSERT_EQ(out.group, levels.group);
    for (std::size_t g = 0; g < row.size() / levels.group; ++g) {
      ASSERT_GE(out.multipliers[g], 1);
      ASSERT_LE(out.multipliers[g], levels.largest_multiplier());
      ASSERT_LE(out.offsets[g], 128);
      ASSERT_LE(levels.largest_code() * out.multipliers[g] - out.offsets[g], 127);
      if (!levels.offsets) {
        ASSERT_EQ(out.offsets[g], out.multipliers[g] << (levels.bits - 1));
      }
    }
    for (std::size_t k = 0; k < row.size(); ++k) {
      const std::size_t g = k / levels.group;
      ASSERT_LE(out.codes[k], levels.largest_code());
      ASSERT_EQ(out.Value(k), out.multipliers[g] * out.codes[k] - out.offsets[g]);
    }
    for (std::size_t k = 192; k < 256; ++k) ASSERT_EQ(out.Value(k), 0);
  }
}

TEST_P(EveryTwoLevelForm, RowsOfZerosOrAlmostHaveScaleZero) {
  for (float value : {0.0f, 1e-40f}) {
    TwoLevelRow out;
    QuantizeTwoLevel(GetParam(), std::vector<float>(64, value), &out);
    EXPECT_EQ(out.scale, 0.0f);
    for (std::size_t k = 0; k < 64; ++k) EXPECT_EQ(out.Value(k), 0);
  }
}

TEST_P(EveryTwoLevelForm, ScaleInBinary16CostsLittle) {
  double half = 0, exact = 0;
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    const std::vector<float> row = RandomRow(384, 200 + seed);
    TwoLevelRow out;
    QuantizeTwoLevel(GetParam(), row, &out);
    exact += SquaredError(row, out);
    const std::uint16_t bits = QuantizeTwoLevelHalf(GetParam(), row, &out);
    EXPECT_EQ(out.scale, kernels::HalfToFloat(bits));
    half += SquaredError(row, out);
  }
  EXPECT_LT(half, 1.01 * exact);
}

INSTANTIATE_TEST_SUITE_P(Forms, EveryTwoLevelForm,
                         testing::Values(kQ4Levels, kQ6Levels, format::RowLevels(WeightFormat::kQ4),
                                         format::RowLevels(WeightFormat::kQ6)));

TEST(QuantizeTwoLevel, SearchBeatsPlainRoundingWithExactEnds) {
  double found = 0, plain = 0;
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    const std::vector<float> row = RandomRow(384, 100 + seed);
    TwoLevelRow out;
    QuantizeTwoLevel(kQ4Levels, row, &out);
    found += SquaredError(row, out);
    plain += PlainSquaredError(kQ4Levels, row);
  }
  EXPECT_LT(found, 0.95 * plain);
}

// Only four multipliers: the row cannot have the exact ends of every group.
TEST(QuantizeTwoLevel, SixBitsComeNearPlainRoundingWithExactEnds) {
  double found = 0, plain = 0;
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    const std::vector<float> row = RandomRow(384, 300 + seed);
    TwoLevelRow out;
    QuantizeTwoLevel(kQ6Levels, row, &out);
    found += SquaredError(row, out);
    plain += PlainSquaredError(kQ6Levels, row);
  }
  EXPECT_LT(found, 1.3 * plain);
}

}  // namespace
}  // namespace thimble::convert
