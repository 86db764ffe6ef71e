// What an Embedder promises: the same bits however texts are batched, ordered, threaded and whatever the instruction
// set; defined results for odd texts; errors for options that cannot work.

#include "thimble/embedder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "kernels/kernels.h"
#include "runtime/engine.h"
#include "runtime/engines.h"
#include "runtime/plan.h"
#include "tests/support/test_model.h"

namespace thimble {
namespace {

using test::ConvertTestModel;
using test::TemporaryFolder;
using test::TestModelOptions;

// Heads of width 64 and 32, and sizes that leave tails behind the kernels' full panels.
TestModelOptions SmallModel(bool wide, bool mpnet = false) {
  TestModelOptions options;
  options.mpnet = mpnet;
  // Beyond the last bucket of distances.
  if (mpnet) options.positions = options.max_seq_length = 150;
  options.hidden = wide ? 192 : 128;
  options.heads = wide ? 6 : 2;
  options.intermediate = wide ? 384 : 320;
  options.layers = 2;
  return options;
}

// Models are made once for all tests.
std::shared_ptr<const Model> TestModel(format::Dtype dtype, bool wide = true, bool mpnet = false) {
  static TemporaryFolder folder;
  static std::map<std::tuple<format::Dtype, bool, bool>, std::shared_ptr<const Model>> models;
  auto& model = models[{dtype, wide, mpnet}];
  if (model == nullptr) {
    auto path = ConvertTestModel(folder.path(), dtype, SmallModel(wide, mpnet));
    EXPECT_TRUE(path.ok()) << path.status().message();
    auto opened = Model::Open(*path);
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    model = *opened;
  }
  return model;
}

std::vector<std::string> MixedTexts(std::size_t count) {
  const char* words[] = {"the",  "memory", "of",      "a",  "small", "vector",           "is",
                         "good", "xyzzy",  "playing", "42", "-",     "\xc3\xa9t\xc3\xa9"};
  std::mt19937 random(7);
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < count; ++i) {
    std::string text;
    for (std::size_t n = random() % (i % 5 == 0 ? 60 : 12); n > 0; --n) text += std::string(words[random() % 13]) + " ";
    texts.push_back(text);
  }
  return texts;
}

std::vector<std::string_view> Views(const std::vector<std::string>& texts) { return {texts.begin(), texts.end()}; }

std::vector<float> EmbedAll(const std::shared_ptr<const Model>& model, const std::vector<std::string_view>& texts,
                            const EmbedderOptions& options = {}, const VectorOptions& vector_options = {}) {
  auto embedder = Embedder::Create(model, options);
  EXPECT_TRUE(embedder.ok()) << embedder.status().message();
  std::vector<float> vectors(texts.size() * model->dimensions());
  Status status = embedder->EmbedBatch(texts, vectors, {}, vector_options);
  EXPECT_TRUE(status.ok()) << status.message();
  return vectors;
}

struct Kind {
  format::Dtype dtype;
  bool mpnet;
};
class EveryKind : public testing::TestWithParam<Kind> {
 protected:
  std::shared_ptr<const Model> ModelOfKind(bool wide = true) {
    return TestModel(GetParam().dtype, wide, GetParam().mpnet);
  }
};

TEST_P(EveryKind, ATextHasTheSameBitsAloneInABatchInAnotherOrderAndWithTwoThreads) {
  for (bool wide : {false, true}) {
    auto model = ModelOfKind(wide);
    const std::size_t width = model->dimensions();
    std::vector<std::string> texts = MixedTexts(70);
    std::vector<float> together = EmbedAll(model, Views(texts));

    auto embedder = Embedder::Create(model);
    ASSERT_TRUE(embedder.ok());
    std::vector<float> alone(width);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      ASSERT_TRUE(embedder->Embed(texts[i], alone).ok());
      ASSERT_EQ(std::memcmp(alone.data(), &together[i * width], width * sizeof(float)), 0) << "text " << i;
    }

    std::vector<std::size_t> order(texts.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), std::mt19937(3));
    std::vector<std::string_view> shuffled;
    for (std::size_t i : order) shuffled.push_back(texts[i]);
    EmbedderOptions two_threads;
    two_threads.threads = 2;
    EmbedderOptions small_tiles;
    const std::size_t longest = model->info().max_tokens;
    // The least that works.
    small_tiles.max_memory = model->engine().FixedBytes() + runtime::EmbedderFixedBytes(1) +
                             model->engine().ScratchBytes({.max_tokens = longest, .tile_tokens = longest});
    auto small_plan = Embedder::MakePlan(*model, small_tiles);
    ASSERT_TRUE(small_plan.ok()) << small_plan.status().message();
    ASSERT_EQ(small_plan->tile_tokens, longest);
    for (const EmbedderOptions& options : {EmbedderOptions{}, two_threads, small_tiles}) {
      std::vector<float> vectors = EmbedAll(model, shuffled, options);
      for (std::size_t i = 0; i < order.size(); ++i) {
        ASSERT_EQ(std::memcmp(&vectors[i * width], &together[order[i] * width], width * sizeof(float)), 0);
      }
    }
  }
}

// Fewer texts than keep the threads busy are shared by rows, heads and outputs.
TEST_P(EveryKind, AFewTextsAreTheSameOnAnyNumberOfThreads) {
  auto model = ModelOfKind();
  const std::size_t width = model->dimensions(), limit = model->info().max_tokens;
  std::string full;
  for (std::size_t i = 0; i < limit; ++i) full += "memory ";
  const std::string half = full.substr(0, full.size() / 2);
  const std::vector<std::string_view> texts = {"a", full, "a small vector of memory", half, "", full, half, "good"};
  for (Pooling pooling : {Pooling::kMean, Pooling::kCls, Pooling::kLast}) {
    const std::vector<float> expected = EmbedAll(model, texts, {}, {.pooling = pooling, .normalize = {}});
    for (std::size_t threads : {2, 3, 7, 20}) {
      auto embedder = Embedder::Create(model, {.threads = threads});
      ASSERT_TRUE(embedder.ok());
      for (std::size_t count : {std::size_t{1}, std::size_t{2}, std::size_t{3}, texts.size()}) {
        std::vector<float> vectors(count * width);
        for (std::size_t first = 0; first + count <= texts.size(); first += count) {
          ASSERT_TRUE(embedder
                          ->EmbedBatch(std::span(texts).subspan(first, count), vectors, {},
                                       {.pooling = pooling, .normalize = {}})
                          .ok());
          ASSERT_EQ(std::memcmp(vectors.data(), &expected[first * width], vectors.size() * sizeof(float)), 0)
              << PoolingName(pooling) << ", " << threads << " threads, " << count << " texts from " << first;
        }
      }
      std::vector<float> rows(limit * width), cls(width);
      auto report = embedder->EmbedTokens(full, rows);
      ASSERT_TRUE(report.ok());
      ASSERT_TRUE(embedder->Embed(full, cls, {.pooling = Pooling::kCls, .normalize = false}).ok());
      EXPECT_EQ(std::memcmp(rows.data(), cls.data(), width * sizeof(float)), 0);
    }
  }
}

TEST_P(EveryKind, EveryInstructionSetGivesTheSameBits) {
  TemporaryFolder folder;
  auto path = ConvertTestModel(folder.path(), GetParam().dtype, SmallModel(true, GetParam().mpnet));
  ASSERT_TRUE(path.ok()) << path.status().message();
  std::vector<std::string> texts = MixedTexts(30);
  texts.push_back(std::string(140, '!'));
  const std::vector<std::string_view> views = Views(texts);
  std::vector<float> expected;
  for (const kernels::Kernels* k : kernels::AllKernels()) {
    if (!k->supported()) continue;
    auto engine = runtime::OpenNative(*path, {}, *k);
    ASSERT_TRUE(engine.ok()) << engine.status().message();
    const ModelInfo& info = (*engine)->info();
    auto workers = (*engine)->CreateWorkers(
        {.max_tokens = info.max_tokens, .tile_tokens = std::max<std::size_t>(info.max_tokens, 100)},
        base::ThreadTeam::Create(1));
    ASSERT_TRUE(workers.ok());
    std::vector<float> vectors(texts.size() * info.dimensions);
    const runtime::Batch batch = {.texts = views,
                                  .vectors = vectors.data(),
                                  .dimensions = info.dimensions,
                                  .reports = {},
                                  .pooling = info.pooling};
    ASSERT_TRUE((*workers)->Embed(0, batch, 0, texts.size()).ok());
    if (expected.empty()) expected = vectors;
    ASSERT_EQ(std::memcmp(vectors.data(), expected.data(), vectors.size() * sizeof(float)), 0) << k->name;
  }
}

TEST_P(EveryKind, VectorsAreCloseToTheFp32Model) {
  // Random weights are far harsher on 4 bits than trained ones; what real models lose is measured by make
  // bench-quality.
  const std::map<format::Dtype, double> least = {{format::Dtype::kFp32, 0.999999999}, {format::Dtype::kFp16, 0.99999},
                                                 {format::Dtype::kQ8, 0.999},         {format::Dtype::kQ6, 0.995},
                                                 {format::Dtype::kQ4, 0.95},          {format::Dtype::kQ4Small, 0.93}};
  const std::vector<std::string> texts = MixedTexts(40);
  const std::vector<float> exact = EmbedAll(TestModel(format::Dtype::kFp32, true, GetParam().mpnet), Views(texts));
  const std::vector<float> found = EmbedAll(ModelOfKind(), Views(texts));
  const std::size_t width = ModelOfKind()->dimensions();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    double dot = 0, exact_squares = 0, found_squares = 0;
    for (std::size_t k = 0; k < width; ++k) {
      double a = exact[i * width + k], b = found[i * width + k];
      dot += a * b;
      exact_squares += a * a;
      found_squares += b * b;
    }
    EXPECT_GT(dot / std::sqrt(exact_squares * found_squares), least.at(GetParam().dtype)) << "text " << i;
  }
}

TEST_P(EveryKind, OddTextsHaveDefinedResults) {
  auto model = ModelOfKind();
  auto embedder = Embedder::Create(model);
  ASSERT_TRUE(embedder.ok());
  const std::size_t width = model->dimensions(), limit = model->info().max_tokens;
  std::vector<float> vector(width), empty(width);
  auto report = embedder->Embed("", empty);
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->tokens, 2u);
  EXPECT_FALSE(report->truncated);
  struct Case {
    std::string text;
    std::size_t tokens;
    bool truncated;
  };
  const Case cases[] = {{"  \t\n ", 2, false},
                        {std::string(3, '\0'), 2, false},
                        {"\xe2\x82", 2, false},                 // Cut off inside a character: U+FFFD, which BERT drops.
                        {std::string(1 << 20, 'a'), 3, false},  // One word too long to have pieces.
                        {"the\xff of", 4, false},
                        {std::string(200, '!'), limit, true}};
  for (const Case& c : cases) {
    report = embedder->Embed(c.text, vector);
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->tokens, c.tokens);
    EXPECT_EQ(report->truncated, c.truncated);
    double length = 0;
    for (float v : vector) length += double{v} * v;
    EXPECT_NEAR(length, 1, 1e-5);
    if (c.tokens == 2) {
      EXPECT_EQ(std::memcmp(vector.data(), empty.data(), width * sizeof(float)), 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Embedder, EveryKind,
                         testing::Values(Kind{format::Dtype::kFp32, false}, Kind{format::Dtype::kFp16, false},
                                         Kind{format::Dtype::kQ8, false}, Kind{format::Dtype::kQ6, false},
                                         Kind{format::Dtype::kQ4, false}, Kind{format::Dtype::kQ4Small, false},
                                         Kind{format::Dtype::kFp32, true}, Kind{format::Dtype::kQ8, true},
                                         Kind{format::Dtype::kQ4, true}),
                         [](const auto& test) {
                           return test::DtypeTestName(test.param.dtype) + (test.param.mpnet ? "_mpnet" : "");
                         });

TEST(Embedder, PoolingAndNormalisationFollowTheOptions) {
  auto model = TestModel(format::Dtype::kFp32);
  const std::vector<std::string_view> texts = {"a small vector of memory"};
  VectorOptions options;
  std::vector<std::vector<float>> vectors;
  for (Pooling pooling : {Pooling::kMean, Pooling::kCls, Pooling::kLast}) {
    options.pooling = pooling;
    options.normalize = false;
    std::vector<float> raw = EmbedAll(model, texts, {}, options);
    options.normalize = true;
    std::vector<float> unit = EmbedAll(model, texts, {}, options);
    double length = 0;
    for (float v : raw) length += double{v} * v;
    length = std::sqrt(length);
    EXPECT_GT(std::fabs(length - 1), 1e-3);
    for (std::size_t i = 0; i < raw.size(); ++i) EXPECT_NEAR(unit[i], raw[i] / length, 1e-6);
    vectors.push_back(unit);
  }
  EXPECT_NE(vectors[0], vectors[1]);
  EXPECT_NE(vectors[1], vectors[2]);
  EXPECT_EQ(vectors[0], EmbedAll(model, texts));  // The model's own: mean, normalised.
}

TEST_P(EveryKind, VectorsOfTokensPoolToTheVectorOfTheText) {
  auto model = ModelOfKind();
  const std::size_t width = model->dimensions();
  auto embedder = Embedder::Create(model, {.max_tokens = 12});
  ASSERT_TRUE(embedder.ok());
  std::vector<float> rows(12 * width, -7), cls(width), mean(width);
  for (std::string_view text :
       {"", "a small vector", "far more words of memory than this embedder will ever take in"}) {
    auto report = embedder->EmbedTokens(text, rows);
    ASSERT_TRUE(report.ok()) << report.status().message();
    ASSERT_TRUE(embedder->Embed(text, cls, {.pooling = Pooling::kCls, .normalize = false}).ok());
    ASSERT_TRUE(embedder->Embed(text, mean, {.pooling = Pooling::kMean, .normalize = false}).ok());
    EXPECT_EQ(std::vector<float>(rows.begin(), rows.begin() + width), cls);
    for (std::size_t d = 0; d < width; ++d) {
      double sum = 0;
      for (std::size_t t = 0; t < report->tokens; ++t) sum += rows[t * width + d];
      ASSERT_NEAR(mean[d], sum / static_cast<double>(report->tokens), 1e-5);
    }
    if (text.empty()) {
      EXPECT_EQ(rows[report->tokens * width], -7) << "rows behind the tokens were written";
    }
    EXPECT_EQ(report->truncated, text.size() > 20);
    const std::vector<std::int32_t> ids = model->Tokenize(text, {.max_tokens = 12})->ids;
    std::vector<float> of_ids(ids.size() * width);
    Status status = embedder->EmbedIds(ids, of_ids);
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(of_ids, std::vector<float>(rows.begin(), rows.begin() + of_ids.size()));
  }
  EXPECT_EQ(embedder->EmbedTokens("a", std::span<float>(rows).first(11 * width)).status().code(),
            Code::kInvalidArgument);
}

TEST(Embedder, TruncatesWhereToldAndSaysSo) {
  auto model = TestModel(format::Dtype::kQ8);
  const std::string text = "the memory of a small vector";
  EmbedderOptions options;
  std::vector<float> vector(model->dimensions());
  for (std::size_t limit = 3; limit <= 10; ++limit) {
    options.max_tokens = limit;
    auto embedder = Embedder::Create(model, options);
    ASSERT_TRUE(embedder.ok());
    auto report = embedder->Embed(text, vector);
    ASSERT_TRUE(report.ok());
    EXPECT_EQ(report->tokens, std::min<std::size_t>(limit, 8));
    EXPECT_EQ(report->truncated, limit < 8);
    auto tokens = model->Tokenize(text, {.max_tokens = limit});
    ASSERT_TRUE(tokens.ok());
    EXPECT_EQ(tokens->ids.size(), report->tokens);
    EXPECT_EQ(tokens->truncated, report->truncated);
  }
}

TEST(Embedder, RefusesWhatCannotWork) {
  auto model = TestModel(format::Dtype::kQ8);
  auto code = [&](auto change) {
    EmbedderOptions options;
    change(options);
    return Embedder::Create(model, options).status().code();
  };
  EXPECT_EQ(code([](EmbedderOptions& o) { o.threads = 0; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](EmbedderOptions& o) { o.threads = 65; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](EmbedderOptions& o) { o.max_tokens = 2; }), Code::kInvalidArgument);
  EXPECT_EQ(code([&](EmbedderOptions& o) { o.max_tokens = model->info().positions + 1; }), Code::kInvalidArgument);
  EXPECT_EQ(code([](EmbedderOptions& o) { o.max_memory = 1000; }), Code::kOutOfMemory);
  EXPECT_EQ(Embedder::Create(nullptr).status().code(), Code::kInvalidArgument);
  auto embedder = Embedder::Create(model);
  ASSERT_TRUE(embedder.ok());
  std::vector<float> vector(model->dimensions() - 1);
  EXPECT_EQ(embedder->Embed("a", vector).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(embedder->EmbedBatch({}, vector).code(), Code::kInvalidArgument);
  std::vector<float> none;
  EXPECT_TRUE(embedder->EmbedBatch({}, none).ok());
  EXPECT_EQ(model->Tokenize("a", {.max_tokens = model->info().positions + 1}).status().code(), Code::kInvalidArgument);
}

TEST(Embedder, ACallEndsSoonAfterItsStop) {
  const auto model = TestModel(format::Dtype::kQ8);
  for (std::size_t threads : {std::size_t{1}, std::size_t{3}}) {
    auto embedder = Embedder::Create(model, {.threads = threads});
    ASSERT_TRUE(embedder.ok());
    // Two texts go through the layers on all threads together, many on one each.
    for (std::size_t count : {std::size_t{2}, std::size_t{20'000}}) {
      const std::vector<std::string> texts = MixedTexts(count);
      const std::vector<std::string_view> views(texts.begin(), texts.end());
      std::vector<float> vectors(count * model->dimensions(), 7);
      std::atomic<bool> stop = count == 2;
      std::thread stopper([&] { stop = true; });
      const Status status = embedder->EmbedBatch(views, vectors, {}, {.stop = &stop});
      stopper.join();
      EXPECT_EQ(status.code(), Code::kIo);
      EXPECT_EQ(status.message(), "the call was cancelled");
      EXPECT_EQ(vectors.back(), 7);
    }
    const std::atomic<bool> stopped = true;
    const std::vector<std::int32_t> ids(embedder->plan().max_tokens, 7);
    std::vector<float> rows(ids.size() * model->info().token_dimensions, 7);
    for (const Status& status :
         {embedder->EmbedIds(ids, rows, &stopped), embedder->EmbedTokens("a vector", rows, &stopped).status()}) {
      EXPECT_EQ(status.code(), Code::kIo);
      EXPECT_EQ(status.message(), "the call was cancelled");
    }
    EXPECT_EQ(std::count(rows.begin(), rows.end(), 7), std::ssize(rows));
    // The next call is as if nothing had been.
    std::vector<float> after(model->dimensions()), fresh(model->dimensions());
    ASSERT_TRUE(embedder->Embed("the memory of a vector", after).ok());
    ASSERT_TRUE(Embedder::Create(model)->Embed("the memory of a vector", fresh).ok());
    EXPECT_EQ(after, fresh);
  }
}

TEST(Embedder, AFileCutShortIsAnErrorAndNoCrash) {
  std::vector<std::string> texts = MixedTexts(30);
  texts.push_back(std::string(140, '!'));
  for (std::size_t threads : {1, 2}) {
    TemporaryFolder folder;
    auto path = ConvertTestModel(folder.path(), format::Dtype::kFp16, SmallModel(true));
    ASSERT_TRUE(path.ok());
    auto model = Model::Open(*path);
    ASSERT_TRUE(model.ok());
    EmbedderOptions options;
    options.threads = threads;
    auto embedder = Embedder::Create(*model, options);
    ASSERT_TRUE(embedder.ok());
    std::vector<float> vectors(texts.size() * (*model)->dimensions());
    ASSERT_TRUE(embedder->EmbedBatch(Views(texts), vectors).ok());
    // The word table, which is read and not mapped, lies before the receipt, which has about 11 KB and is not touched.
    const auto size = std::filesystem::file_size(*path);
    std::filesystem::resize_file(*path, size - 32768);
    Status status = embedder->EmbedBatch(Views(texts), vectors);
    EXPECT_EQ(status.code(), Code::kCorrupt) << threads;
    EXPECT_NE(status.message().find("was changed while"), std::string::npos) << status.message();
  }
}

TEST(Embedder, ScratchStaysWithinTheBudgetAsked) {
  auto model = TestModel(format::Dtype::kQ8);
  EmbedderOptions options;
  auto full = Embedder::Create(model, options);
  ASSERT_TRUE(full.ok());
  options.max_memory = full->plan().peak_bytes * 2 / 3;
  auto tight = Embedder::Create(model, options);
  ASSERT_TRUE(tight.ok()) << tight.status().message();
  EXPECT_LE(tight->plan().peak_bytes, options.max_memory);
  EXPECT_LT(tight->plan().tile_tokens, full->plan().tile_tokens);
  options.max_memory = 1;
  auto refused = Embedder::Create(model, options);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.status().message().find("only 1 are allowed"), std::string::npos) << refused.status().message();
}

}  // namespace
}  // namespace thimble
