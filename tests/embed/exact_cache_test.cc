// An exact cache behind embedders and pools: the same bits and reports with and without, and nothing of a file that
// changed.

#include "thimble/exact_cache.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "tests/support/test_model.h"
#include "thimble/embedder.h"
#include "thimble/pool.h"
#include "thimble/rerank.h"

namespace thimble {
namespace {

using test::ConvertTestModel;
using test::TemporaryFolder;

std::vector<std::string> SomeTexts() {
  std::vector<std::string> texts = {"", "the", "the memory of a small vector", "the  memory of a small vector"};
  std::string text;
  for (int i = 0; i < 60; ++i) {
    text += i % 3 == 0 ? "the memory " : "a small vector is good ";
    texts.push_back(text.substr(text.size() % 7));
  }
  return texts;
}

struct Outcome {
  std::vector<float> vectors;
  std::vector<Report> reports;

  bool operator==(const Outcome& other) const {
    if (vectors.size() != other.vectors.size() || reports.size() != other.reports.size()) return false;
    for (std::size_t i = 0; i < reports.size(); ++i) {
      const Report &a = reports[i], &b = other.reports[i];
      if (a.tokens != b.tokens || a.truncated != b.truncated || a.chunks != b.chunks) return false;
    }
    return std::memcmp(vectors.data(), other.vectors.data(), vectors.size() * sizeof(float)) == 0;
  }
};

class ExactCacheTest : public testing::Test {
 protected:
  ExactCacheTest() {
    auto path = ConvertTestModel(folder_.path(), format::Dtype::kQ8);
    EXPECT_TRUE(path.ok()) << path.status().message();
    path_ = *path;
    model_ = *Model::Open(path_);
    cache_ = *ExactCache::Open(folder_.File("cache"), ExactCache::kLeastBytes);
  }

  Outcome Embed(std::shared_ptr<ExactCache> cache, const VectorOptions& options, std::size_t threads = 1) {
    const std::vector<std::string> texts = SomeTexts();
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    Outcome outcome;
    outcome.vectors.resize(texts.size() * options.dimensions.value_or(model_->dimensions()));
    outcome.reports.resize(texts.size());
    auto embedder = Embedder::Create(model_, {.threads = threads, .cache = std::move(cache)});
    EXPECT_TRUE(embedder.ok()) << embedder.status().message();
    const Status status = embedder->EmbedBatch(views, outcome.vectors, outcome.reports, options);
    EXPECT_TRUE(status.ok()) << status.message();
    return outcome;
  }

  TemporaryFolder folder_;
  std::string path_;
  std::shared_ptr<const Model> model_;
  std::shared_ptr<ExactCache> cache_;
};

TEST_F(ExactCacheTest, VectorsAndReportsAreThoseWithoutIt) {
  const std::vector<VectorOptions> calls = {{},
                                            {.normalize = false},
                                            {.dimensions = 16},
                                            {.normalize = false, .dimensions = 33},
                                            {.pooling = Pooling::kCls},
                                            {.pooling = Pooling::kLast},
                                            {.long_texts = LongTexts::kChunk},
                                            {.long_texts = LongTexts::kChunk, .chunk_overlap = 0},
                                            {.dimensions = 20, .long_texts = LongTexts::kChunk}};
  for (int pass = 0; pass < 2; ++pass) {
    for (std::size_t i = 0; i < calls.size(); ++i) {
      const Outcome without = Embed(nullptr, calls[i]);
      for (const std::size_t threads : {1, 2, 40}) {
        EXPECT_EQ(Embed(cache_, calls[i], threads), without) << "call " << i << ", threads " << threads;
      }
    }
  }
  EXPECT_GT(cache_->stats().hits, 5 * cache_->stats().misses);
}

TEST_F(ExactCacheTest, TheVectorBeforeCutAndNormalisationServesAllOfThem) {
  Embed(cache_, {});
  const std::uint64_t misses = cache_->stats().misses;
  const Outcome cut = Embed(cache_, {.normalize = false, .dimensions = 10});
  EXPECT_EQ(cache_->stats().misses, misses);
  EXPECT_EQ(cut, Embed(nullptr, {.normalize = false, .dimensions = 10}));
}

TEST_F(ExactCacheTest, OneFileServesPoolsAndOtherModelsWithoutMixingThem) {
  auto other = ConvertTestModel(folder_.path(), format::Dtype::kQ4);
  ASSERT_TRUE(other.ok());
  const Outcome first = Embed(cache_, {});
  auto pool = ModelPool::Create({.embedder = {.threads = 2, .cache = cache_}});
  ASSERT_TRUE(pool.ok());
  for (const std::string& path : {path_, *other, path_}) {
    model_ = *Model::Open(path);
    auto lease = pool->Acquire(path);
    ASSERT_TRUE(lease.ok()) << lease.status().message();
    const std::vector<std::string> texts = SomeTexts();
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    Outcome found = {std::vector<float>(views.size() * model_->dimensions()), std::vector<Report>(views.size())};
    ASSERT_TRUE(lease->EmbedBatch(views, found.vectors, found.reports).ok());
    EXPECT_EQ(found, Embed(nullptr, {}));
  }
  EXPECT_EQ(pool->Stats()->cache->hits, cache_->stats().hits);
  EXPECT_GE(cache_->stats().hits, 2 * first.reports.size() - 8)
      << "Texts with the same tokens may be computed at once.";
}

TEST_F(ExactCacheTest, ThePlanCountsWhatItTakes) {
  const auto without = Embedder::MakePlan(*model_), with = Embedder::MakePlan(*model_, {.cache = cache_});
  ASSERT_TRUE(without.ok() && with.ok());
  EXPECT_GT(with->scratch_bytes, without->scratch_bytes);
  EXPECT_LT(with->scratch_bytes, without->scratch_bytes + 16384);
}

TEST_F(ExactCacheTest, AModelFileThatWasWrittenToLeavesNothing) {
  auto embedder = Embedder::Create(model_, {.cache = cache_});
  ASSERT_TRUE(embedder.ok());
  std::vector<float> vector(model_->dimensions());
  ASSERT_TRUE(embedder->Embed("the memory", vector).ok());
  const std::uint64_t writes = cache_->stats().writes;
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-64, std::ios::end);
    file.write("damaged", 7);
  }
  EXPECT_EQ(embedder->Embed("a small vector", vector).status().code(), Code::kCorrupt);
  EXPECT_EQ(cache_->stats().writes, writes);
}

TEST_F(ExactCacheTest, AMockAndAModelOfPairsDoWithoutIt) {
  auto mock = Model::Open("mock-hashed");
  ASSERT_TRUE(mock.ok());
  auto embedder = Embedder::Create(*mock, {.cache = cache_});
  ASSERT_TRUE(embedder.ok());
  std::vector<float> vector((*mock)->dimensions());
  EXPECT_TRUE(embedder->Embed("the memory", vector).ok());
  TemporaryFolder folder;
  auto pairs = ConvertTestModel(folder.path(), format::Dtype::kQ8, {.seed = 4, .labels = 1});
  ASSERT_TRUE(pairs.ok()) << pairs.status().message();
  auto reranker = Reranker::Create(*Model::Open(*pairs), {.cache = cache_});
  ASSERT_TRUE(reranker.ok()) << reranker.status().message();
  const std::string_view document = "the memory";
  float score;
  EXPECT_TRUE(reranker->Rank("a vector", {&document, 1}, {&score, 1}).ok());
  EXPECT_EQ(cache_->stats().hits + cache_->stats().misses, 0u);
}

}  // namespace
}  // namespace thimble
