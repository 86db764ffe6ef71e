// Tests of the texts on different subjects, and of what is made of their vectors.

#include "convert/unrelated.h"

#include <gtest/gtest.h>

#include <set>

namespace thimble::convert {
namespace {

TEST(Unrelated, TextsAreDistinctAndEnoughInEachLanguage) {
  const std::vector<UnrelatedTexts> all = AllUnrelatedTexts();
  ASSERT_EQ(all.size(), 7u);
  std::set<std::string_view> texts;
  for (const UnrelatedTexts& language : all) {
    EXPECT_EQ(language.texts.size(), &language == &all.front() ? 100u : 30u) << language.texts.front();
    for (std::string_view text : language.texts) EXPECT_TRUE(texts.insert(text).second) << text;
    EXPECT_GT(language.least_token, 1);
  }
  EXPECT_TRUE(all[0].texts.front().starts_with("The baker"));
  EXPECT_TRUE(all[6].texts.front().starts_with("\xE3\x83\x91\xE3\x83\xB3"));
}

TEST(Unrelated, PairsAreWithinALanguage) {
  // Two languages of 3 and 2 texts; across them all are alike.
  const std::vector<float> vectors = {1, 0, 0, 2, 3, 3, /**/ 1, 1, -2, -2};
  const std::vector<double> cosines = UnrelatedCosines(vectors, std::vector<std::size_t>{3, 2}, 2);
  ASSERT_EQ(cosines.size(), 4u);
  EXPECT_NEAR(cosines[0], -1, 1e-12);
  EXPECT_NEAR(cosines[1], 0, 1e-12);
  EXPECT_NEAR(cosines[2], 0.5 * 1.4142135623730951, 1e-12);
  EXPECT_NEAR(cosines[3], 0.5 * 1.4142135623730951, 1e-12);
  EXPECT_EQ(UnrelatedCosines(std::vector<float>(4), std::vector<std::size_t>{2}, 2), std::vector<double>{0});
}

TEST(Unrelated, QuantilesAreLinearBetweenNeighbours) {
  const double values[] = {1, 2, 4};
  EXPECT_EQ(Quantile(values, 0), 1);
  EXPECT_EQ(Quantile(values, 0.25), 1.5);
  EXPECT_EQ(Quantile(values, 0.5), 2);
  EXPECT_EQ(Quantile(values, 0.75), 3);
  EXPECT_EQ(Quantile(values, 1), 4);
}

}  // namespace
}  // namespace thimble::convert
