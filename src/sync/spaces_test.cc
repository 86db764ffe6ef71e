// Comparisons of vector spaces against a direct computation.

#include "sync/spaces.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace thimble::sync {
namespace {

using Vectors = std::vector<std::vector<float>>;

Vectors RandomVectors(std::size_t count, std::size_t dimensions, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Vectors vectors(count, std::vector<float>(dimensions));
  for (auto& vector : vectors) {
    for (float& value : vector) value = normal(random);
    const float length = std::sqrt(std::inner_product(vector.begin(), vector.end(), vector.begin(), 0.0f));
    for (float& value : vector) value /= length;
  }
  return vectors;
}

VectorFile FileOf(const Vectors& vectors) {
  auto file = VectorFile::Create(vectors[0].size());
  EXPECT_TRUE(file.ok());
  for (const auto& vector : vectors) EXPECT_TRUE(file->Append(vector).ok());
  return *std::move(file);
}

// The texts but q, the nearest to q first.
std::vector<std::size_t> Ranking(const Vectors& vectors, std::size_t q) {
  std::vector<std::pair<double, std::size_t>> all;
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    if (i == q) continue;
    all.push_back({-std::inner_product(vectors[q].begin(), vectors[q].end(), vectors[i].begin(), 0.0), i});
  }
  std::sort(all.begin(), all.end());
  std::vector<std::size_t> ranking;
  for (const auto& [cosine, i] : all) ranking.push_back(i);
  return ranking;
}

TEST(Spaces, AreComparedExactly) {
  const Vectors a = RandomVectors(300, 19, 1), b = RandomVectors(300, 24, 2);
  const auto found = Compare(FileOf(a), FileOf(b));
  ASSERT_TRUE(found.ok());
  double overlap = 0, loss = 0;
  for (std::size_t q = 0; q < a.size(); ++q) {
    const auto in_a = Ranking(a, q), in_b = Ranking(b, q);
    for (std::size_t i = 0; i < 10; ++i) {
      const std::size_t rank = std::find(in_b.begin(), in_b.end(), in_a[i]) - in_b.begin();
      overlap += rank < 10;
      loss += rank > i ? static_cast<double>(rank - i) : 0;
    }
  }
  EXPECT_NEAR(found->overlap, overlap / 3000, 1e-9);
  EXPECT_NEAR(found->rank_loss, loss / 3000, 1e-9);
  EXPECT_EQ(found->queries, 300u);
  EXPECT_FALSE(found->cosine || found->kept_overlap);
}

TEST(Spaces, OfTheSameVectorsAgree) {
  const Vectors a = RandomVectors(130, 32, 3);
  const auto found = Compare(FileOf(a), FileOf(a));
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->overlap, 1);
  EXPECT_EQ(*found->kept_overlap, 1);
  EXPECT_EQ(found->rank_loss, 0);
  EXPECT_EQ(found->rank_loss_p95, 0);
  EXPECT_NEAR(found->cosine->least, 1, 1e-6);
}

// Turning a space keeps its neighbours, and makes its vectors useless for an index of the other.
TEST(Spaces, TurnedKeepNeighboursButNoIndex) {
  const Vectors a = RandomVectors(400, 16, 4);
  Vectors b = a;
  for (auto& vector : b) std::rotate(vector.begin(), vector.begin() + 5, vector.end());
  const auto found = Compare(FileOf(a), FileOf(b));
  ASSERT_TRUE(found.ok());
  EXPECT_GT(found->overlap, 0.999);
  EXPECT_LT(*found->kept_overlap, 0.2);
  EXPECT_LT(found->cosine->mean, 0.5);
}

TEST(Spaces, OfTwoTextsHaveOneNeighbour) {
  const auto found = Compare(FileOf(RandomVectors(2, 8, 5)), FileOf(RandomVectors(2, 8, 6)));
  ASSERT_TRUE(found.ok());
  EXPECT_EQ(found->neighbours, 1u);
  EXPECT_EQ(found->overlap, 1);
}

TEST(Sample, IsTheSameEachTimeAndOfThatSize) {
  for (const auto& [all, wanted] : {std::pair{100, 7}, {100, 100}, {5, 9}, {100000, 1000}}) {
    std::vector<int> first, second;
    Sample one(all, wanted), two(all, wanted);
    for (int i = 0; i < all; ++i) {
      if (one.Next()) first.push_back(i);
      if (two.Next()) second.push_back(i);
    }
    EXPECT_EQ(first.size(), static_cast<std::size_t>(std::min(all, wanted)));
    EXPECT_EQ(first, second);
    EXPECT_FALSE(one.Next());
  }
  std::size_t early = 0;
  Sample sample(100000, 1000);
  for (int i = 0; i < 50000; ++i) early += sample.Next();
  EXPECT_NEAR(static_cast<double>(early), 500, 80);
}

}  // namespace
}  // namespace thimble::sync
