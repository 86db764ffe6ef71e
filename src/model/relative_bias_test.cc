// Lines of biases against the formula, with ends for all distances beyond the reach.

#include "model/relative_bias.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

namespace thimble::model {
namespace {

TEST(RelativeBias, ALineHasTheBiasOfEachDistanceAndItsEndsForAllThatAreFarther) {
  for (std::size_t reach : {1, 2, 8, 91}) {
    std::vector<float> row(BiasRowFloats(reach), -1000);
    for (std::size_t i = 0; i <= 2 * reach; ++i) row[i] = static_cast<float>(i) - static_cast<float>(reach);
    for (std::size_t tokens : {1, 2, 3, 9, 91, 92, 93, 200}) {
      std::vector<float> line(BiasLineFloats(tokens), -2000);
      const float* zero = FillBiasLine(row.data(), reach, tokens, line.data());
      ASSERT_EQ(zero, line.data() + tokens - 1);
      const auto last = static_cast<std::ptrdiff_t>(tokens) - 1, most = static_cast<std::ptrdiff_t>(reach);
      for (std::ptrdiff_t distance = -last; distance <= last; ++distance) {
        ASSERT_EQ(zero[distance], static_cast<float>(std::clamp(distance, -most, most))) << reach << " " << tokens;
      }
      for (float value : line) ASSERT_GT(value, -1000) << "all that may be read is written";
    }
  }
}

}  // namespace
}  // namespace thimble::model
