// Shorter vectors: the first components of the whole ones, cut after everything else and then normalised.

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "kernels/kernels.h"
#include "runtime/engine.h"
#include "runtime/engines.h"
#include "tests/support/test_model.h"
#include "thimble/convert.h"
#include "thimble/embedder.h"
#include "thimble/precision.h"

namespace thimble {
namespace {

const std::vector<std::string_view> kCutTexts = {
    "a small vector", "", "memory of good playing 42 the the the is",
    "the small memory is good and the vector is in the water above it all"};
constexpr std::size_t kCutLengths[] = {1, 13, 16, 40, 63};

class Dimensions : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<test::TemporaryFolder>();
    auto path = test::ConvertTestModel(folder_->path(), format::Dtype::kQ8);
    ASSERT_TRUE(path.ok()) << path.status().message();
    path_ = *path;
    model_ = *Model::Open(path_);
  }
  static void TearDownTestSuite() {
    model_.reset();
    folder_.reset();
  }

  // [texts][dimensions of the options]
  static std::vector<float> Embed(const VectorOptions& options, const EmbedderOptions& made = {},
                                  std::shared_ptr<const Model> model = model_) {
    auto embedder = Embedder::Create(model, made);
    EXPECT_TRUE(embedder.ok()) << embedder.status().message();
    std::vector<float> vectors(kCutTexts.size() * options.dimensions.value_or(model->dimensions()));
    const Status status = embedder->EmbedBatch(kCutTexts, vectors, {}, options);
    EXPECT_TRUE(status.ok()) << status.message();
    return vectors;
  }

  // The first `dimensions` of each vector, to unit length.
  static std::vector<double> Cut(const std::vector<float>& vectors, std::size_t dimensions, bool layer_norm = false) {
    const std::size_t width = vectors.size() / kCutTexts.size();
    std::vector<double> cut;
    for (std::size_t i = 0; i < kCutTexts.size(); ++i) {
      std::vector<double> vector(&vectors[i * width], &vectors[i * width] + width);
      if (layer_norm) {
        double mean = 0, variance = 0;
        for (const double value : vector) mean += value / static_cast<double>(width);
        for (const double value : vector) variance += (value - mean) * (value - mean) / static_cast<double>(width);
        for (double& value : vector) value = (value - mean) / std::sqrt(variance + 1e-5);
      }
      double squares = 0;
      for (std::size_t k = 0; k < dimensions; ++k) squares += vector[k] * vector[k];
      for (std::size_t k = 0; k < dimensions; ++k) cut.push_back(vector[k] / std::sqrt(squares));
    }
    return cut;
  }

  static void ExpectNear(const std::vector<float>& found, const std::vector<double>& expected) {
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 3e-7) << i;
  }

  static std::unique_ptr<test::TemporaryFolder> folder_;
  static std::string path_;
  static std::shared_ptr<const Model> model_;
};
std::unique_ptr<test::TemporaryFolder> Dimensions::folder_;
std::string Dimensions::path_;
std::shared_ptr<const Model> Dimensions::model_;

TEST_F(Dimensions, AreTheFirstOnesNormalisedAfterTheCut) {
  const std::vector<float> raw = Embed({.normalize = false});
  for (const std::size_t dimensions : kCutLengths) {
    ExpectNear(Embed({.dimensions = dimensions}), Cut(raw, dimensions));
    const std::vector<float> cut = Embed({.normalize = false, .dimensions = dimensions});
    for (std::size_t i = 0; i < kCutTexts.size(); ++i) {
      EXPECT_EQ(std::memcmp(&cut[i * dimensions], &raw[i * model_->dimensions()], dimensions * sizeof(float)), 0);
    }
  }
  EXPECT_EQ(Embed({.dimensions = model_->dimensions()}), Embed({})) << "All of them are the same bits.";
}

TEST_F(Dimensions, OfALongTextAreCutAfterTheMeanOfItsWindows) {
  const EmbedderOptions windows = {.max_tokens = 8};
  const VectorOptions chunks = {.normalize = false, .long_texts = LongTexts::kChunk};
  VectorOptions cut = {.dimensions = 13, .long_texts = LongTexts::kChunk};
  ExpectNear(Embed(cut, windows), Cut(Embed(chunks, windows), 13));
}

TEST_F(Dimensions, HaveTheSameBitsInAnyBatchOnAnyThreadsAndInstructionSet) {
  for (const LongTexts long_texts : {LongTexts::kTruncate, LongTexts::kChunk}) {
    for (const std::size_t dimensions : kCutLengths) {
      const VectorOptions options = {.dimensions = dimensions, .long_texts = long_texts};
      const std::vector<float> together = Embed(options, {.max_tokens = 8});
      EXPECT_EQ(Embed(options, {.threads = 3, .max_tokens = 8}), together);
      auto embedder = Embedder::Create(model_, {.max_tokens = 8});
      std::vector<float> alone(dimensions);
      for (std::size_t i = 0; i < kCutTexts.size(); ++i) {
        ASSERT_TRUE(embedder->Embed(kCutTexts[i], alone, options).ok());
        EXPECT_EQ(std::memcmp(alone.data(), &together[i * dimensions], dimensions * sizeof(float)), 0);
      }
      for (const kernels::Kernels* set : kernels::AllKernels()) {
        if (!set->supported()) continue;
        auto engine = runtime::OpenNative(path_, {}, *set);
        ASSERT_TRUE(engine.ok());
        auto workers = (*engine)->CreateWorkers({.max_tokens = 8, .tile_tokens = 8}, base::ThreadTeam::Create(1));
        ASSERT_TRUE(workers.ok());
        std::vector<float> vectors(together.size());
        const Pooling pooling = Pooling::kMean;
        const runtime::Batch batch = {.texts = kCutTexts,
                                      .vectors = vectors.data(),
                                      .dimensions = dimensions,
                                      .reports = {},
                                      .pooling = {&pooling, 1},
                                      .long_texts = long_texts};
        ASSERT_TRUE((*workers)->EmbedTogether(batch).ok());
        EXPECT_EQ(vectors, together) << set->name;
      }
    }
  }
}

TEST_F(Dimensions, BeyondTheModelAreRefusedByName) {
  auto embedder = Embedder::Create(model_);
  std::vector<float> vector(65);
  for (const std::size_t wrong : {0u, 65u}) {
    const Status status = embedder->Embed("a", std::span(vector).first(wrong), {.dimensions = wrong}).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_NE(status.message().find("`dimensions`: expected 1 to 64"), std::string::npos) << status.message();
  }
  EXPECT_FALSE(embedder->Embed("a", vector, {.dimensions = 32}).ok()) << "A span of another length.";
}

TEST_F(Dimensions, OfNomicEmbedAreCutFromTheLayerNorm) {
  const std::string path = folder_->File("nomic.safetensors");
  const ConvertOptions options = {.dtype = "q8", .name = "nomic-embed-text-v1.5", .calibrate = false};
  ASSERT_TRUE(ConvertModel(folder_->File("test-model"), path, options).ok());
  auto model = Model::Open(path);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_TRUE((*model)->info().layer_norm_before_cut);
  EXPECT_FALSE(model_->info().layer_norm_before_cut);
  EXPECT_EQ((*model)->info().fingerprint, model_->info().fingerprint) << "Whole vectors are the same.";
  EXPECT_EQ(Embed({}, {}, *model), Embed({}));
  const std::vector<float> raw = Embed({.normalize = false});
  for (const std::size_t dimensions : kCutLengths) {
    ExpectNear(Embed({.dimensions = dimensions}, {}, *model), Cut(raw, dimensions, true));
  }
  EXPECT_NE(*SpaceFingerprint((*model)->info(), {.dimensions = 13}),
            *SpaceFingerprint(model_->info(), {.dimensions = 13}));
}

TEST_F(Dimensions, OfEveryLengthHaveARangeThatItsVectorsKeepTo) {
  const ModelInfo& info = model_->info();
  ASSERT_EQ(info.component_limits.size(), info.dimensions);
  EXPECT_EQ(info.component_limits[0], 1);
  for (std::size_t dimensions = 1; dimensions <= info.dimensions; dimensions += 7) {
    const std::vector<float> vectors = Embed({.dimensions = dimensions});
    const auto range = FindCodeRange(info, Precision::kInt8, {.dimensions = dimensions});
    ASSERT_TRUE(range.ok());
    std::vector<std::byte> codes(vectors.size());
    ASSERT_TRUE(Quantize(vectors, dimensions, Precision::kInt8, *range, codes).ok());
    for (std::size_t i = 0; i < kCutTexts.size(); ++i) {
      double dot = 0, a = 0, b = 0;
      for (std::size_t k = i * dimensions; k < (i + 1) * dimensions; ++k) {
        const auto code = static_cast<std::int8_t>(codes[k]);
        dot += code * vectors[k], a += code * code, b += vectors[k] * vectors[k];
      }
      EXPECT_GT(dot / std::sqrt(a * b), 0.999) << dimensions;
    }
  }
}

TEST_F(Dimensions, OfFilesWithoutARangeHaveNoIntegersAndADamagedRangeIsFound) {
  const std::string contents = test::ReadFile(path_);
  const std::string changed = folder_->File("changed.safetensors");

  std::string old = contents;
  old.replace(old.find("codes.sha256"), 12, "codes.sha257");  // Which a reader does not know.
  ASSERT_TRUE(test::WriteFile(changed, old).ok());
  auto model = Model::Open(changed);
  ASSERT_TRUE(model.ok()) << model.status().message();
  EXPECT_EQ((*model)->info().fingerprint, model_->info().fingerprint);
  EXPECT_EQ(Embed({.dimensions = 13}, {}, *model), Embed({.dimensions = 13}));
  EXPECT_EQ(FindCodeRange((*model)->info(), Precision::kInt8).status().code(), Code::kUnsupported);

  std::string damaged = contents;
  damaged[damaged.size() - 4] ^= 1;  // Of the last limit.
  ASSERT_TRUE(test::WriteFile(changed, damaged).ok());
  const Status status = Model::Open(changed).status();
  EXPECT_EQ(status.code(), Code::kCorrupt);
  EXPECT_NE(status.message().find("codes.limits"), std::string::npos) << status.message();
}

}  // namespace
}  // namespace thimble
