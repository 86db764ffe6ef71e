// The fused multiply-add that SSE4.1 emulates, against std::fma; and for all arguments the two functions in which it
// rounds to double first.

#include <gtest/gtest.h>

#include "kernels/generic.h"

#if defined(__x86_64__)
#include <immintrin.h>

#include <array>
#include <limits>
#include <random>
#include <vector>

#include "kernels/cpu_x86.h"

namespace thimble::kernels {

THIMBLE_BEGIN_TARGET("sse4.1")
namespace fma_sse41 {
// clang-format off: in this order
#include "kernels/vector_x86-inl.h"
#include "kernels/vector_sse41-inl.h"
#include "kernels/math-inl.h"
// clang-format on
static void FmaOf(const float* a, const float* b, const float* c, float* out) {
  Store(out, Fma(Load(a), Load(b), Load(c)));
}
static void FmaThroughDoubleOf(const float* a, const float* b, const float* c, float* out) {
  Store(out, FmaThroughDouble(Load(a), Load(b), Load(c)));
}
static void Exp2FastOf(const float* x, float* out) { Store(out, Exp2Fast(Load(x))); }
static void GeluFastOf(const float* x, float* out) { Store(out, GeluFast(Load(x))); }
}  // namespace fma_sse41
THIMBLE_END_TARGET

THIMBLE_BEGIN_TARGET("avx2,fma,f16c")
namespace fma_avx2 {
// clang-format off: in this order
#include "kernels/vector_x86-inl.h"
#include "kernels/vector_avx2-inl.h"
#include "kernels/math-inl.h"
// clang-format on
static void Exp2FastOf(const float* x, float* out) { Store(out, Exp2Fast(Load(x))); }
static void GeluFastOf(const float* x, float* out) { Store(out, GeluFast(Load(x))); }
}  // namespace fma_avx2
THIMBLE_END_TARGET

namespace {

using Triple = std::array<float, 3>;

// Compares triples, and returns for how many of them rounding to double first would be wrong.
std::size_t CompareWithFma(const std::vector<Triple>& triples) {
  std::size_t harmed = 0;
  for (std::size_t begin = 0; begin < triples.size(); begin += 16) {
    float operands[3][16] = {}, found[16], through_double[16];
    const std::size_t count = std::min<std::size_t>(16, triples.size() - begin);
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t k = 0; k < 3; ++k) operands[k][i] = triples[begin + i][k];
    }
    fma_sse41::FmaOf(operands[0], operands[1], operands[2], found);
    fma_sse41::FmaThroughDoubleOf(operands[0], operands[1], operands[2], through_double);
    for (std::size_t i = 0; i < count; ++i) {
      const auto [a, b, c] = triples[begin + i];
      const float expected = std::fma(a, b, c);
      if (std::isnan(expected)) {
        EXPECT_TRUE(std::isnan(found[i])) << a << " " << b << " " << c;
        continue;
      }
      EXPECT_EQ(std::bit_cast<std::uint32_t>(found[i]), std::bit_cast<std::uint32_t>(expected))
          << std::hexfloat << a << " * " << b << " + " << c << ": expected " << expected << ", found " << found[i];
      if (testing::Test::HasFailure()) return harmed;
      harmed += std::bit_cast<std::uint32_t>(through_double[i]) != std::bit_cast<std::uint32_t>(expected);
    }
  }
  return harmed;
}

class FmaOfSse41 : public testing::Test {
 protected:
  void SetUp() override {
    if (!DetectCpu().sse41) GTEST_SKIP() << "this processor lacks sse41";
  }
  std::uint32_t Below(std::uint32_t count) { return static_cast<std::uint32_t>(random_()) % count; }
  // A float with `bits` significant bits at most, and an exponent in [least, least + span).
  float Short(int bits, int least, int span) {
    const auto significand = static_cast<float>(1 + Below(1u << bits));
    const int exponent = least + static_cast<int>(Below(static_cast<std::uint32_t>(span)));
    return std::ldexp(Below(2) == 0 ? significand : -significand, exponent - bits);
  }
  std::mt19937 random_{11};
};

TEST_F(FmaOfSse41, OfSpecialValues) {
  using Limits = std::numeric_limits<float>;
  std::vector<float> values;
  for (const float x : {0.0f, Limits::denorm_min(), 0x1p-127f, 0x1.fffffcp-127f, Limits::min(), 0x1.000002p-126f,
                        0x1p-75f, 0x1p-25f, 0x1p-24f, 0x1.fffffep-1f, 1.0f, 0x1.000002p0f, 3.0f, 0x1p24f, 0x1p104f,
                        0x1p127f, Limits::max(), Limits::infinity(), Limits::quiet_NaN()}) {
    values.insert(values.end(), {x, -x});
  }
  std::vector<Triple> triples;
  for (const float a : values) {
    for (const float b : values) {
      for (const float c : values) triples.push_back({a, b, c});
    }
  }
  CompareWithFma(triples);
}

TEST_F(FmaOfSse41, OfAnyBits) {
  std::vector<Triple> triples(1 << 20);
  for (Triple& triple : triples) {
    for (float& x : triple) x = std::bit_cast<float>(static_cast<std::uint32_t>(random_()));
  }
  CompareWithFma(triples);
}

TEST_F(FmaOfSse41, OfProductsAndSummandsOfEveryDistance) {
  std::vector<Triple> triples;
  for (int distance = -60; distance <= 60; ++distance) {
    for (int i = 0; i < 1 << 14; ++i) {
      const int place = static_cast<int>(Below(200)) - 100, split = static_cast<int>(Below(40)) - 20;
      const int bits = 1 + static_cast<int>(Below(24));
      triples.push_back({Short(bits, place + split, 1), Short(bits, -split, 1), Short(24, place + distance, 1)});
    }
  }
  CompareWithFma(triples);
}

TEST_F(FmaOfSse41, RoundingToDoubleFirstChangesNoSumOfTwoFloats) {
  std::vector<Triple> triples;
  for (int i = 0; i < 1 << 20; ++i) {
    const int place = static_cast<int>(Below(240)) - 120;
    triples.push_back({Short(24, place, 1), Below(2) == 0 ? -2.0f : 1.0f, Short(24, place - 60, 120)});
  }
  EXPECT_EQ(CompareWithFma(triples), 0u);
}

// c plus odd halves of its last place, but for some 2^-30 to 2^-46 of them: double has no room for that.
TEST_F(FmaOfSse41, NextToTheMiddleOfTwoFloats) {
  std::vector<Triple> triples;
  for (int i = 0; i < 1 << 20; ++i) {
    // Subnormal ones too.
    const float c = Below(3) == 0 ? std::bit_cast<float>(Below(1 << 23) | Below(2) << 31) : Short(24, -120, 220);
    const int unit = std::max(std::ilogb(c), -126) - 23;
    const float near = std::ldexp(1.0f, -15 - static_cast<int>(Below(9)));
    const auto odd = static_cast<float>(1 + 2 * Below(4));
    const int split = static_cast<int>(Below(40)) - 20;
    const float a = std::ldexp(odd * (1 + near), unit / 2 - 1 + split),
                b = std::ldexp(1 - near, unit - unit / 2 - split);
    triples.push_back({Below(2) == 0 ? a : -a, b, c});
  }
  EXPECT_GT(CompareWithFma(triples), triples.size() / 20) << "too few hard cases";
}

// Of the floats in [begin, end) every one, or in slow builds some.
template <typename Function>
void CompareAll(Function expected, Function found, float begin, float end, bool negative) {
#if defined(__OPTIMIZE__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  constexpr std::uint32_t kStep = 1;
#else
  constexpr std::uint32_t kStep = 1009;
#endif
  const std::uint32_t sign = negative ? 0x80000000 : 0;
  for (std::uint32_t bits = std::bit_cast<std::uint32_t>(begin); bits < std::bit_cast<std::uint32_t>(end);
       bits += 16 * kStep) {
    std::uint32_t x[16];
    for (std::uint32_t i = 0; i < 16; ++i) x[i] = (bits + i * kStep) | sign;
    float arguments[16], results[2][16];
    std::memcpy(arguments, x, sizeof x);
    expected(arguments, results[0]);
    found(arguments, results[1]);
    ASSERT_EQ(std::memcmp(results[0], results[1], sizeof results[0]), 0) << "from " << std::hexfloat << arguments[0];
  }
}

// Smaller arguments give the constant term, as 2^-40 and 2^-50 do.
TEST_F(FmaOfSse41, RoundingToDoubleFirstChangesNoExp2Fast) {
  if (!DetectCpu().avx2) GTEST_SKIP() << "this processor lacks fma";
  for (const bool negative : {false, true}) {
    CompareAll(fma_avx2::Exp2FastOf, fma_sse41::Exp2FastOf, 0x1p-40f, 0x1.00001p-1f, negative);
  }
}

TEST_F(FmaOfSse41, RoundingToDoubleFirstChangesNoGeluFast) {
  if (!DetectCpu().avx2) GTEST_SKIP() << "this processor lacks fma";
  CompareAll(fma_avx2::GeluFastOf, fma_sse41::GeluFastOf, 0x1p-50f, 3.88f, false);
}

}  // namespace
}  // namespace thimble::kernels
#endif
