// Tests of the rounding of words: on vectors that are a known function of rows.

#include "convert/word_rounding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "kernels/kernels.h"

namespace thimble::convert {
namespace {

constexpr std::size_t kHidden = 64, kDimensions = 48, kVocabulary = 200;

class WordRounding : public testing::Test {
 protected:
  WordRounding() : team_(base::ThreadTeam::Create(2)), rows_(kVocabulary * kHidden), map_(kHidden * kDimensions) {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (float& value : rows_) value = normal(random);
    // A few directions count far more than others.
    for (std::size_t d = 0; d < kDimensions; ++d) {
      const float weight = std::exp(-0.15f * static_cast<float>(d));
      for (std::size_t k = 0; k < kHidden; ++k) map_[k * kDimensions + d] = weight * normal(random);
    }
    for (std::size_t i = 0; i < 40; ++i) {
      std::vector<std::int32_t> ids(1 + i % 12);
      for (std::int32_t& id : ids) id = static_cast<std::int32_t>(random() % kVocabulary);
      sequences_.Add(ids);
    }
  }

  Status ReadWord(std::size_t row, std::span<float> out) {
    std::copy_n(&rows_[row * kHidden], kHidden, out.begin());
    return Status();
  }

  // The sum of a sequence's rows, mapped: what stands for the encoder.
  std::vector<float> Vectors(const WordRounder& rounder, const Forward::ReadRow& word) {
    std::vector<float> vectors, row(kHidden);
    const std::int32_t* id = sequences_.ids.data();
    for (std::size_t i = 0; i < sequences_.lengths.size(); ++i) {
      std::vector<double> vector(kDimensions);
      for (std::size_t t = 0; t < sequences_.lengths[i]; ++t) {
        EXPECT_TRUE(word(static_cast<std::size_t>(*id++), row).ok());
        for (std::size_t k = 0; k < kHidden; ++k) {
          for (std::size_t d = 0; d < kDimensions; ++d) vector[d] += double{row[k]} * map_[k * kDimensions + d];
        }
      }
      if (i >= rounder.first()) vectors.insert(vectors.end(), vector.begin(), vector.end());
    }
    return vectors;
  }

  // What the errors of all rows do to vectors.
  double Harm(const QuantizedMatrix& matrix) const {
    double harm = 0;
    std::vector<float> row(kHidden);
    for (std::size_t n = 0; n < kVocabulary; ++n) {
      matrix.Values(n, row);
      for (std::size_t d = 0; d < kDimensions; ++d) {
        double change = 0;
        for (std::size_t k = 0; k < kHidden; ++k) change += (row[k] - rows_[n * kHidden + k]) * map_[k * kDimensions + d];
        harm += change * change;
      }
    }
    return harm;
  }

  base::ThreadTeam team_;
  const kernels::Kernels& kernels_ = **kernels::ChooseKernels();
  std::vector<float> rows_, map_;
  Sequences sequences_;
};

TEST_F(WordRounding, ErrorsGoWhereVectorsDoNotChange) {
  const std::size_t before = sequences_.lengths.size();
  WordRounder rounder(kHidden, 30, kernels_, team_, &sequences_);
  EXPECT_EQ(rounder.first(), before);
  EXPECT_EQ((sequences_.lengths.size() - before) % (kHidden + 1), 0u);
  const auto word = [this](std::size_t row, std::span<float> out) { return ReadWord(row, out); };
  rounder.Learn(Vectors(rounder, rounder.Probe(word)));
  const QuantizedMatrix plain = RoundRows(kernels::WeightFormat::kQ4, rows_, kHidden, team_, Rows::kOfTable);
  const QuantizedMatrix matrix = rounder.Round(rows_);
  EXPECT_LT(Harm(matrix), 0.6 * Harm(plain));
  EXPECT_GT(rounder.rounded(), kVocabulary * 9 / 10);
  for (const TwoLevelRow& row : matrix.two_level) {
    EXPECT_EQ(row.group, 16u);
    for (std::size_t g = 0; g < row.multipliers.size(); ++g) EXPECT_EQ(row.offsets[g], 8 * row.multipliers[g]);
  }
}

TEST_F(WordRounding, IsPlainWhereNothingWasLearned) {
  const QuantizedMatrix plain = RoundRows(kernels::WeightFormat::kQ4, rows_, kHidden, team_, Rows::kOfTable);
  const auto expect_plain = [&](WordRounder& rounder) {
    const QuantizedMatrix matrix = rounder.Round(rows_);
    EXPECT_EQ(rounder.rounded(), 0u);
    for (std::size_t n = 0; n < kVocabulary; ++n) EXPECT_EQ(matrix.two_level[n].codes, plain.two_level[n].codes);
  };
  // No sequence is long enough.
  Sequences none;
  none.Add(std::vector<std::int32_t>{1, 2});
  WordRounder nothing(kHidden, 1, kernels_, team_, &none);
  EXPECT_EQ(none.lengths.size(), 1u);
  nothing.Learn({});
  expect_plain(nothing);
  // Vectors that do not depend on rows.
  WordRounder rounder(kHidden, 30, kernels_, team_, &sequences_);
  rounder.Learn(std::vector<float>((sequences_.lengths.size() - rounder.first()) * kDimensions, 1.0f));
  expect_plain(rounder);
}

}  // namespace
}  // namespace thimble::convert
