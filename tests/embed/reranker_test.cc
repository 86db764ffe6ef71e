// Rerankers: what their scores depend on and what not, for each dtype; tests/convert/rerankers_test.py has those of
// transformers.

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/thread_team.h"
#include "kernels/kernels.h"
#include "runtime/engine.h"
#include "runtime/engines.h"
#include "tests/support/test_model.h"
#include "thimble/convert.h"
#include "thimble/pool.h"
#include "thimble/receipt.h"
#include "thimble/rerank.h"

namespace thimble {
namespace {

using test::TemporaryFolder;

// More tokens than a pair may have.
std::string LongText(int words, const std::string& word) {
  std::string text;
  for (int i = 0; i < words; ++i) text += word + (i % 3 == 0 ? " , " : " ");
  return text;
}

std::vector<std::string> Documents() {
  std::vector<std::string> documents = {"",          "the small cat", "a vector of words",  LongText(100, "memory"),
                                        "\xff text", "good day",      LongText(40, "river")};
  for (int i = 0; i < 80; ++i)
    documents.push_back("document " + std::to_string(i * i) + " with word " + std::to_string(i));
  return documents;
}

std::vector<std::string_view> ViewsOf(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

class RerankerOf : public testing::TestWithParam<format::Dtype> {
 protected:
  void SetUp() override {
    auto path = test::ConvertTestModel(folder_.path(), GetParam(), {.labels = 1});
    ASSERT_TRUE(path.ok()) << path.status().message();
    path_ = *path;
    auto model = Model::Open(path_);
    ASSERT_TRUE(model.ok()) << model.status().message();
    model_ = *model;
  }

  std::vector<float> Scores(const std::string& query, const std::vector<std::string>& documents,
                            const EmbedderOptions& options = {}, const RankOptions& ranking = {}) {
    auto reranker = Reranker::Create(model_, options);
    EXPECT_TRUE(reranker.ok()) << reranker.status().message();
    std::vector<float> scores(documents.size());
    const Status status = reranker->Rank(query, ViewsOf(documents), scores, {}, ranking);
    EXPECT_TRUE(status.ok()) << status.message();
    return scores;
  }

  TemporaryFolder folder_;
  std::string path_;
  std::shared_ptr<const Model> model_;
};

INSTANTIATE_TEST_SUITE_P(Dtypes, RerankerOf,
                         testing::Values(format::Dtype::kFp32, format::Dtype::kFp16, format::Dtype::kQ8,
                                         format::Dtype::kQ4),
                         [](const auto& value) { return test::DtypeTestName(value.param); });

TEST_P(RerankerOf, ScoresAreTheSameBitsAloneInABatchAndWithThreads) {
  const std::vector<std::string> documents = Documents();
  const std::vector<float> expected = Scores("a small query", documents);
  for (std::size_t i = 0; i < documents.size(); ++i) {
    EXPECT_EQ(Scores("a small query", {documents[i]})[0], expected[i]) << i;
  }
  for (std::size_t threads : {2, 3}) EXPECT_EQ(Scores("a small query", documents, {.threads = threads}), expected);
  const std::size_t least = Reranker::Create(model_)->plan().fixed_bytes;
  for (std::size_t memory = least; memory < least + (1 << 20); memory += 1 << 16) {
    if (Reranker::Create(model_, {.max_memory = memory}).ok()) {
      EXPECT_EQ(Scores("a small query", documents, {.max_memory = memory}), expected);
    }
  }
}

TEST_P(RerankerOf, ScoresAreTheSameBitsOnEveryInstructionSet) {
  const std::vector<std::string> documents = Documents();
  const std::vector<std::string_view> views = ViewsOf(documents);
  std::vector<float> expected;
  for (const kernels::Kernels* k : kernels::AllKernels()) {
    if (!k->supported()) continue;
    auto engine = runtime::OpenNative(path_, {}, *k);
    ASSERT_TRUE(engine.ok()) << engine.status().message();
    const ModelInfo& info = (*engine)->info();
    auto workers =
        (*engine)->CreateWorkers({.max_tokens = info.max_tokens, .tile_tokens = 100}, base::ThreadTeam::Create(1));
    ASSERT_TRUE(workers.ok());
    std::vector<float> scores(documents.size());
    const runtime::Batch batch = {.texts = views,
                                  .query = "a small query",
                                  .vectors = scores.data(),
                                  .reports = {},
                                  .pooling = info.pooling,
                                  .normalize = false};
    ASSERT_TRUE((*workers)->Embed(0, batch, 0, documents.size()).ok());
    if (expected.empty()) expected = scores;
    EXPECT_EQ(scores, expected) << k->name;
  }
}

TEST_P(RerankerOf, ScoreDependsOnTheOrderOfTheTextsAndOnTheirTypes) {
  const float one = Scores("small cat", {"good day"})[0], other = Scores("good day", {"small cat"})[0];
  EXPECT_NE(one, other);
  // Both texts are the same, so that only types and positions tell them apart.
  EXPECT_NE(Scores("small cat", {"small cat good"})[0], Scores("small cat small", {"cat good"})[0]);
}

TEST_P(RerankerOf, RawScoresGoThroughTheSigmoid) {
  const std::vector<std::string> documents = Documents();
  const std::vector<float> raw = Scores("query", documents, {}, {.raw_scores = true}),
                           scores = Scores("query", documents);
  for (std::size_t i = 0; i < raw.size(); ++i) {
    EXPECT_FLOAT_EQ(scores[i], static_cast<float>(1 / (1 + std::exp(-double{raw[i]}))));
  }
}

TEST_P(RerankerOf, ReportsAndErrorsAreAboutPairs) {
  auto reranker = Reranker::Create(model_);
  const std::string long_document = LongText(70, "day");
  const std::string_view documents[] = {"good", long_document};
  float scores[2];
  Report reports[2];
  ASSERT_TRUE(reranker->Rank("day", documents, scores, reports).ok());
  EXPECT_EQ(reports[0].tokens, 5u);
  EXPECT_FALSE(reports[0].truncated);
  EXPECT_EQ(reports[1].tokens, reranker->plan().max_tokens);
  EXPECT_TRUE(reports[1].truncated);
  const Status status =
      reranker->Rank("day", documents, scores, {}, {.long_texts = LongTexts::kError, .first_index = 7});
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_NE(status.message().find("documents[8]: "), std::string::npos) << status.message();
  EXPECT_NE(status.message().find("with the query, the limit is 64"), std::string::npos) << status.message();
  EXPECT_EQ(reranker->Rank("day", documents, scores, {}, {.long_texts = LongTexts::kChunk}).code(),
            Code::kInvalidArgument);
  EXPECT_EQ(reranker->Rank("day", documents, {scores, 1}).code(), Code::kInvalidArgument);
  EXPECT_EQ(reranker->Rank("day", documents, scores, {}, {.prompt_name = "none"}).code(), Code::kInvalidArgument);
}

TEST_P(RerankerOf, FileSaysWhatItIsAndIsVerified) {
  EXPECT_EQ(model_->info().labels, std::vector<std::string>{"LABEL_0"});
  EXPECT_EQ(model_->info().score_activation, "sigmoid");
  EXPECT_EQ(model_->info().max_tokens, 64u);
  auto receipt = ReadReceipt(*model_);
  ASSERT_TRUE(receipt.ok() && *receipt) << receipt.status().message();
  ASSERT_TRUE((*receipt)->score_error_max);
  EXPECT_EQ(*(*receipt)->score_error_max == 0, GetParam() == format::Dtype::kFp32);
  auto verified = Verify(model_);
  ASSERT_TRUE(verified.ok()) << verified.status().message();
  EXPECT_TRUE(verified->ok());
}

TEST_P(RerankerOf, IsRefusedForEmbedding) {
  const Status status = Embedder::Create(model_).status();
  EXPECT_EQ(status.code(), Code::kUnsupported);
  EXPECT_NE(status.message().find("is a reranker"), std::string::npos) << status.message();
  auto pool = ModelPool::Create();
  auto lease = pool->Acquire(path_);
  ASSERT_TRUE(lease.ok());
  std::vector<float> vector(64);
  EXPECT_EQ(lease->Embed("text", {vector.data(), 1}).status().code(), Code::kUnsupported);
  EXPECT_EQ(lease->EmbedTokens("text", vector).status().code(), Code::kUnsupported);
  float score = 0;
  const std::string_view document = "good day";
  ASSERT_TRUE(lease->Rank("small cat", {&document, 1}, {&score, 1}).ok());
  EXPECT_EQ(score, Scores("small cat", {"good day"})[0]);
}

TEST(Reranker, LabelsAreScoresOfTheirOwn) {
  TemporaryFolder one, three;
  auto of_one = test::ConvertTestModel(one.path(), format::Dtype::kFp32, {.labels = 1});
  auto of_three = test::ConvertTestModel(three.path(), format::Dtype::kFp32, {.labels = 3});
  ASSERT_TRUE(of_one.ok() && of_three.ok());
  auto first = Reranker::Create(*Model::Open(*of_one)), all = Reranker::Create(*Model::Open(*of_three));
  ASSERT_TRUE(first.ok() && all.ok());
  EXPECT_EQ(all->num_scores(), 3u);
  const std::vector<std::string> documents = Documents();
  std::vector<float> scores(documents.size()), labels(3 * documents.size());
  ASSERT_TRUE(first->Rank("query", ViewsOf(documents), scores, {}, {.raw_scores = true}).ok());
  ASSERT_TRUE(all->Rank("query", ViewsOf(documents), labels).ok());  // Several go through nothing.
  // Its random matrix begins with that of one label; the bias comes later.
  for (std::size_t i = 1; i < documents.size(); ++i) {
    EXPECT_NEAR(labels[3 * i] - labels[0], scores[i] - scores[0], 1e-5) << i;
  }
}

TEST(Reranker, RefusesAnEmbeddingModelAndTakesAMock) {
  TemporaryFolder folder;
  auto path = test::ConvertTestModel(folder.path(), format::Dtype::kQ8);
  ASSERT_TRUE(path.ok());
  const Status status = Reranker::Create(*Model::Open(*path)).status();
  EXPECT_EQ(status.code(), Code::kUnsupported);
  EXPECT_NE(status.message().find("is an embedding model"), std::string::npos) << status.message();
  auto mock = Reranker::Create(*Model::Open("mock-hashed"));
  ASSERT_TRUE(mock.ok());
  const std::string_view documents[] = {"rivers in Asia", "a recipe for bread", "rivers in Asia"};
  float scores[3];
  ASSERT_TRUE(mock->Rank("rivers in Asia", documents, scores).ok());
  EXPECT_NEAR(scores[0], 1, 1e-6);
  EXPECT_LT(scores[1], 0.8);
  EXPECT_EQ(scores[0], scores[2]);
}

}  // namespace
}  // namespace thimble
