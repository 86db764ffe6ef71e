// Tests of GPTQ and of the factor that it works with.

#include "convert/gptq.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <random>
#include <vector>

#include "kernels/kernels.h"

namespace thimble::convert {
namespace {

using kernels::WeightFormat;

const kernels::Kernels& BestKernels() {
  auto kernels = kernels::ChooseKernels();
  EXPECT_TRUE(kernels.ok());
  return **kernels;
}

base::ThreadTeam Team(std::size_t size) { return base::ThreadTeam::Create(size); }

// Tokens whose inputs are mixtures of a few common causes, some of them large.
std::vector<float> CorrelatedTokens(std::size_t tokens, std::size_t width, std::uint32_t seed) {
  constexpr std::size_t kCauses = 12;
  std::mt19937 mixing(7), random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> mix(kCauses * width), x(tokens * width);
  for (float& value : mix) value = normal(mixing);
  for (std::size_t t = 0; t < tokens; ++t) {
    for (std::size_t c = 0; c < kCauses; ++c) {
      const float cause = normal(random) * (c == 0 ? 4.0f : 1.0f);
      for (std::size_t k = 0; k < width; ++k) x[t * width + k] += cause * mix[c * width + k];
    }
    for (std::size_t k = 0; k < width; ++k) x[t * width + k] += 0.5f + normal(random);
  }
  return x;
}

std::vector<float> RandomWeights(std::size_t rows, std::size_t width, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 0.05f);
  std::vector<float> weights(rows * width);
  for (float& value : weights) value = normal(random);
  return weights;
}

Moments MomentsOf(const std::vector<float>& x, std::size_t width, base::ThreadTeam& team) {
  Moments moments(width, BestKernels());
  const std::size_t tokens = x.size() / width;
  for (std::size_t t = 0; t < tokens; t += Moments::kMaxRows) {
    moments.Add(&x[t * width], std::min(Moments::kMaxRows, tokens - t), team);
  }
  return moments;
}

// Sum over tokens and rows of the squared error of the outputs.
double OutputError(const std::vector<float>& x, const std::vector<float>& weights, std::size_t width,
                   const QuantizedMatrix& matrix) {
  double sum = 0;
  std::vector<float> row(width);
  for (std::size_t n = 0; n < matrix.rows(); ++n) {
    matrix.Values(n, row);
    for (std::size_t t = 0; t < x.size() / width; ++t) {
      double error = 0;
      for (std::size_t k = 0; k < width; ++k) error += (double{weights[n * width + k]} - row[k]) * x[t * width + k];
      sum += error * error;
    }
  }
  return sum;
}

TEST(Moments, AreTheSumsOfProductsAndTheSameWithAnyNumberOfThreads) {
  constexpr std::size_t kWidth = 128, kTokens = 700;
  const std::vector<float> x = CorrelatedTokens(kTokens, kWidth, 1);
  base::ThreadTeam one = Team(1), three = Team(3);
  const Moments moments = MomentsOf(x, kWidth, one), again = MomentsOf(x, kWidth, three);
  EXPECT_EQ(moments.tokens(), kTokens);
  for (std::size_t i = 0; i < kWidth; ++i) {
    for (std::size_t j = i; j < kWidth; ++j) {
      double sum = 0, size = 0;
      for (std::size_t t = 0; t < kTokens; ++t) {
        const double product = double{x[t * kWidth + i]} * x[t * kWidth + j];
        sum += product;
        size += std::fabs(product);
      }
      // Two sums of at most 512 roundings each.
      ASSERT_NEAR(moments.second()[i * kWidth + j], sum, size * 514 * std::ldexp(1.0, -24)) << i << " " << j;
      ASSERT_EQ(moments.second()[i * kWidth + j], again.second()[i * kWidth + j]);
    }
  }
}

TEST(Factor, OfAKnownMatrixIsExact) {
  // H = R R^T of a triangle of small integers, of which every step of the decomposition is exact.
  constexpr std::size_t kWidth = 192;
  base::ThreadTeam team = Team(2);
  std::vector<double> r(kWidth * kWidth), h(kWidth * kWidth);
  std::mt19937 random(3);
  for (std::size_t i = 0; i < kWidth; ++i) {
    for (std::size_t j = i; j < kWidth; ++j) {
      r[i * kWidth + j] = i == j ? 1 << random() % 3 : static_cast<double>(random() % 7) - 3;
    }
  }
  for (std::size_t i = 0; i < kWidth; ++i) {
    for (std::size_t j = 0; j < kWidth; ++j) {
      for (std::size_t k = 0; k < kWidth; ++k) h[i * kWidth + j] += r[i * kWidth + k] * r[j * kWidth + k];
    }
  }
  const std::optional<Factor> factor = Factor::Create(h, kWidth, team);
  ASSERT_TRUE(factor);
  for (std::size_t i = 0; i < kWidth; ++i) {
    for (std::size_t j = i; j < kWidth; ++j) ASSERT_EQ(factor->At(i, j), static_cast<float>(r[i * kWidth + j]));
  }
}

TEST(Factor, OfAMatrixThatIsNotPositiveDefiniteThereIsNone) {
  base::ThreadTeam team = Team(1);
  for (double bad : {-1.0, 0.0, double{NAN}, double{INFINITY}}) {
    std::vector<double> h(64 * 64);
    for (std::size_t i = 0; i < 64; ++i) h[i * 65] = i == 10 ? bad : 1.0;
    EXPECT_FALSE(Factor::Create(h, 64, team)) << bad;
  }
}

TEST(Gptq, BeatsRoundingOnCorrelatedInputsItHasNotSeen) {
  constexpr std::size_t kWidth = 256, kRows = 80;
  base::ThreadTeam team = Team(2);
  const std::vector<float> x = CorrelatedTokens(2048, kWidth, 1), unseen = CorrelatedTokens(512, kWidth, 2);
  const std::vector<float> weights = RandomWeights(kRows, kWidth, 3);
  const auto factor = Factor::Create(MomentsOf(x, kWidth, team), std::nullopt, 0.01, team);
  ASSERT_TRUE(factor);
  for (WeightFormat format : {WeightFormat::kQ8, WeightFormat::kQ6, WeightFormat::kQ4}) {
    QuantizedMatrix matrix = RoundRows(format, weights, kWidth, team);
    const double rounded = OutputError(unseen, weights, kWidth, matrix);
    const GptqReport report = Gptq(weights, *factor, BestKernels(), team, &matrix);
    EXPECT_EQ(report.guarded, 0u);
    EXPECT_LT(OutputError(unseen, weights, kWidth, matrix), 0.2 * rounded);
  }
}

TEST(Gptq, RowsDoNotDependOnTheNumberOfThreadsNorOnTheInstructionSet) {
  constexpr std::size_t kWidth = 128, kRows = 144;
  base::ThreadTeam one = Team(1), three = Team(3);
  const std::vector<float> weights = RandomWeights(kRows, kWidth, 3);
  const auto factor = Factor::Create(MomentsOf(CorrelatedTokens(600, kWidth, 1), kWidth, one), std::nullopt, 0.01, one);
  ASSERT_TRUE(factor);
  std::vector<QuantizedMatrix> found;
  std::vector<float> expected(kWidth), row(kWidth);
  for (const kernels::Kernels* kernels : kernels::AllKernels()) {
    if (!kernels->supported()) continue;
    for (base::ThreadTeam* team : {&one, &three}) {
      found.push_back(RoundRows(WeightFormat::kQ4, weights, kWidth, *team));
      Gptq(weights, *factor, *kernels, *team, &found.back());
      for (std::size_t n = 0; n < kRows; ++n) {
        found.front().Values(n, expected);
        found.back().Values(n, row);
        ASSERT_EQ(row, expected) << kernels->name << " " << n;
      }
    }
  }
  EXPECT_GE(found.size(), 2u);
}

// Independent inputs leave nothing to make up for: every row is at least as good as plain rounding by the loss.
TEST(Gptq, NeverHasMoreLossThanRounding) {
  constexpr std::size_t kWidth = 128, kRows = 64;
  base::ThreadTeam team = Team(1);
  std::vector<double> identity(kWidth * kWidth);
  for (std::size_t k = 0; k < kWidth; ++k) identity[k * kWidth + k] = 1;
  const auto factor = Factor::Create(identity, kWidth, team);
  ASSERT_TRUE(factor);
  const std::vector<float> weights = RandomWeights(kRows, kWidth, 4);
  for (WeightFormat format : {WeightFormat::kQ8, WeightFormat::kQ6, WeightFormat::kQ4}) {
    const QuantizedMatrix rounded = RoundRows(format, weights, kWidth, team);
    QuantizedMatrix matrix = rounded;
    const GptqReport report = Gptq(weights, *factor, BestKernels(), team, &matrix);
    EXPECT_LE(report.loss, report.rounded_loss);
    for (std::size_t n = 0; n < kRows; ++n) {
      std::vector<float> before(kWidth), after(kWidth);
      rounded.Values(n, before);
      matrix.Values(n, after);
      double rounded_loss = 0, loss = 0;
      for (std::size_t k = 0; k < kWidth; ++k) {
        rounded_loss += std::pow(double{weights[n * kWidth + k]} - before[k], 2);
        loss += std::pow(double{weights[n * kWidth + k]} - after[k], 2);
      }
      EXPECT_LE(loss, rounded_loss * (1 + 1e-5)) << n;
    }
  }
}

// Inputs that always cancel let weights drift along the direction that they leave free: the loss is small, but the row
// is far from the original, and texts that calibration has not seen would suffer.
TEST(Gptq, ARowThatRunsAwayKeepsItsPlainRounding) {
  constexpr std::size_t kWidth = 64;
  base::ThreadTeam team = Team(1);
  // x = c (1, 1, ..., 1) but for a trace of noise: all that matters of a row is its sum.
  std::vector<double> h(kWidth * kWidth, 1.0);
  for (std::size_t k = 0; k < kWidth; ++k) h[k * kWidth + k] += 1e-9;
  const auto factor = Factor::Create(h, kWidth, team);
  ASSERT_TRUE(factor);
  // One large weight sets the scale, and the others are a little under half a step each: rounded to zero, their errors
  // add up in the sum, which GPTQ puts right by moving weights by steps that are larger than the weights.
  std::vector<float> weights(kWidth, 0.004f);
  weights[0] = 1.27f;
  const QuantizedMatrix rounded = RoundRows(WeightFormat::kQ8, weights, kWidth, team);
  QuantizedMatrix matrix = rounded;
  Gptq(weights, *factor, BestKernels(), team, &matrix);
  std::vector<float> before(kWidth), after(kWidth);
  rounded.Values(0, before);
  matrix.Values(0, after);
  double rounded_error = 0, error = 0, size = 0;
  for (std::size_t k = 0; k < kWidth; ++k) {
    rounded_error += std::pow(double{weights[k]} - before[k], 2);
    error += std::pow(double{weights[k]} - after[k], 2);
    size += std::pow(double{weights[k]}, 2);
  }
  EXPECT_LE(error, 4 * rounded_error + 0.01 * size);
}

}  // namespace
}  // namespace thimble::convert
