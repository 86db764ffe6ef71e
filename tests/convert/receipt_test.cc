// What a receipt tells is true, and Verify finds what has changed.

#include "thimble/receipt.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "format/dtypes.h"
#include "format/reader.h"
#include "tests/support/test_model.h"
#include "thimble/convert.h"
#include "thimble/embedder.h"

namespace thimble {
namespace {

using format::Dtype;

std::string HashOf(const std::string& path) {
  base::Sha256 hash;
  hash.Update(test::ReadFile(path));
  return hash.Hex();
}

class ReceiptTest : public testing::Test {
 protected:
  std::string Convert(Dtype dtype, bool calibrate = false) {
    if (!made_) {
      EXPECT_TRUE(test::WriteTestModel(folder_.path()).ok());
    }
    made_ = true;
    ConvertOptions options;
    options.dtype = DtypeName(dtype);
    options.name = "test";
    options.calibrate = calibrate;
    const std::string path = folder_.File("model.thimble.safetensors");
    const Status status = ConvertModel(folder_.path(), path, options);
    EXPECT_TRUE(status.ok()) << status.message();
    return path;
  }

  std::shared_ptr<const Model> Open(const std::string& path) {
    auto model = Model::Open(path);
    EXPECT_TRUE(model.ok()) << model.status().message();
    return *model;
  }

  // The model with another header, and with one bit of a tensor flipped.
  std::shared_ptr<const Model> Changed(const std::string& path, const std::string& key, const std::string& value,
                                       const std::string& tensor) {
    std::string contents = test::ReadFile(path);
    std::uint64_t length = 0;
    std::memcpy(&length, contents.data(), sizeof length);
    auto header = nlohmann::ordered_json::parse(contents.substr(8, length));
    if (!tensor.empty()) {
      const std::size_t end = header[tensor]["data_offsets"][1];
      contents[8 + length + end - 1] ^= 0x10;
    }
    if (value.empty()) {
      header["__metadata__"].erase(key);
    } else {
      header["__metadata__"][key] = value;
    }
    std::string json = header.dump();
    json.resize(length, ' ');
    contents.replace(8, length, json);
    const std::string changed = folder_.File("changed.safetensors");
    EXPECT_TRUE(test::WriteFile(changed, contents).ok());
    return Open(changed);
  }

  test::TemporaryFolder folder_;
  bool made_ = false;
};

TEST_F(ReceiptTest, OfFp32IsExactAndTellsItsSources) {
  const auto model = Open(Convert(Dtype::kFp32));
  auto receipt = ReadReceipt(*model);
  ASSERT_TRUE(receipt.ok() && *receipt) << receipt.status().message();
  // The converter's own forward pass and the model give the same bits.
  EXPECT_EQ((*receipt)->cosine_mean, 1);
  EXPECT_EQ((*receipt)->cosine_min, 1);
  EXPECT_GE((*receipt)->texts, 100u);
  EXPECT_EQ((*receipt)->goldens, 12u);
  EXPECT_EQ((*receipt)->calibration, "none");
  EXPECT_EQ((*receipt)->source_sha256, HashOf(folder_.File("model.safetensors")));
  EXPECT_EQ((*receipt)->tokenizer_sha256, HashOf(folder_.File("tokenizer.json")));
  auto verification = Verify(model);
  ASSERT_TRUE(verification.ok()) << verification.status().message();
  EXPECT_TRUE(verification->ok());
  EXPECT_EQ(verification->goldens, 12u);
}

TEST_F(ReceiptTest, OfEveryDtypeHoldsAndIsInOrder) {
  for (Dtype dtype : {Dtype::kFp16, Dtype::kQ8, Dtype::kQ6, Dtype::kQ4, Dtype::kQ4Small}) {
    const auto model = Open(Convert(dtype, true));
    auto receipt = ReadReceipt(*model);
    ASSERT_TRUE(receipt.ok() && *receipt) << receipt.status().message();
    const Receipt& r = **receipt;
    EXPECT_LT(r.cosine_mean, 1) << DtypeName(dtype);
    EXPECT_GT(r.cosine_mean, 0.9) << DtypeName(dtype);
    EXPECT_LE(r.cosine_min, r.cosine_p1) << DtypeName(dtype);
    EXPECT_LE(r.cosine_p1, r.cosine_mean) << DtypeName(dtype);
    const bool calibrated = dtype != Dtype::kFp16;
    EXPECT_EQ(r.recipe.find("gptq") != std::string::npos, calibrated) << r.recipe;
    EXPECT_EQ(r.calibration.find("seed") != std::string::npos, calibrated) << r.calibration;
    auto verification = Verify(model);
    ASSERT_TRUE(verification.ok()) << verification.status().message();
    EXPECT_TRUE(verification->ok()) << DtypeName(dtype);
  }
}

TEST_F(ReceiptTest, KnowsHowAlikeUnrelatedTextsAre) {
  const std::string path = Convert(Dtype::kQ8);
  const auto receipt = ReadReceipt(*Open(path));
  ASSERT_TRUE(receipt.ok() && *receipt && (*receipt)->unrelated) << receipt.status().message();
  const UnrelatedCosines& unrelated = *(*receipt)->unrelated;
  EXPECT_EQ(unrelated.pairs, 4950u) << "the tokenizer of letters knows no language, so it is English";
  ASSERT_EQ(unrelated.quantiles.size(), 14u);
  EXPECT_EQ(unrelated.quantiles.front().share, 0);
  EXPECT_EQ(unrelated.quantiles.back().share, 1);
  for (std::size_t i = 1; i < unrelated.quantiles.size(); ++i) {
    EXPECT_LT(unrelated.quantiles[i - 1].share, unrelated.quantiles[i].share);
    EXPECT_LE(unrelated.quantiles[i - 1].cosine, unrelated.quantiles[i].cosine);
  }
  // Two of the texts, whose cosine is among those.
  auto embedder = Embedder::Create(Open(path));
  ASSERT_TRUE(embedder.ok());
  std::vector<float> a(embedder->dimensions()), b(a);
  ASSERT_TRUE(embedder->Embed("Can I freeze cooked rice?", a).ok());
  ASSERT_TRUE(embedder->Embed("Low tide uncovers a path to the island.", b).ok());
  const double cosine = std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
  EXPECT_GE(cosine, unrelated.quantiles.front().cosine - 1e-6);
  EXPECT_LE(cosine, unrelated.quantiles.back().cosine + 1e-6);
  // Files from before, and malformed ones.
  const auto old = ReadReceipt(*Changed(path, "receipt.unrelated_pairs", "", ""));
  ASSERT_TRUE(old.ok() && *old);
  EXPECT_FALSE((*old)->unrelated);
  const std::string many = "0 .1 .2 .3 .4 .5 .6 .7 .8 .81 .82 .83 .84";
  EXPECT_TRUE(ReadReceipt(*Changed(path, "receipt.unrelated_cosines", many + " .85", "")).ok());
  for (const std::string& wrong : {many, many + " .85 .9", many + " nan", many + " .1", many + " ", std::string("x")}) {
    const Status status = ReadReceipt(*Changed(path, "receipt.unrelated_cosines", wrong, "")).status();
    EXPECT_EQ(status.code(), Code::kCorrupt) << wrong;
    EXPECT_NE(status.message().find("expected 14 ascending numbers"), std::string::npos) << status.message();
  }
}

TEST(Percentile, IsLinearBetweenQuantilesAndNever100) {
  const UnrelatedCosines unrelated = {.pairs = 99,
                                      .quantiles = {{0, -0.5}, {0.5, 0}, {0.9, 0.2}, {0.99, 0.2}, {1, 0.6}}};
  EXPECT_EQ(Percentile(unrelated, -0.6), 0);
  EXPECT_EQ(Percentile(unrelated, -0.5), 0);
  EXPECT_DOUBLE_EQ(Percentile(unrelated, -0.25), 25);
  EXPECT_DOUBLE_EQ(Percentile(unrelated, 0), 50);
  EXPECT_DOUBLE_EQ(Percentile(unrelated, 0.1), 70);
  EXPECT_DOUBLE_EQ(Percentile(unrelated, 0.2), 99) << "all that are as great are not above";
  EXPECT_DOUBLE_EQ(Percentile(unrelated, 0.6), 99);
  EXPECT_DOUBLE_EQ(Percentile(unrelated, 1), 99) << "above 99 pairs, the next may be above";
  EXPECT_TRUE(std::isnan(Percentile(unrelated, NAN)));
  EXPECT_TRUE(std::isnan(Percentile({}, 0.5)));
}

TEST_F(ReceiptTest, WordsOfALargeVocabularyAreInQ4AndSoItSays) {
  const std::size_t few = Open(Convert(Dtype::kQ8))->info().vocabulary;
  for (const std::size_t vocabulary : {format::kLargeVocabulary - 1, format::kLargeVocabulary}) {
    test::TemporaryFolder folder;
    test::TestModelOptions large;
    large.extra_vocabulary = vocabulary - few;
    ASSERT_TRUE(test::WriteTestModel(folder.path(), large).ok());
    for (Dtype dtype : {Dtype::kFp32, Dtype::kQ8, Dtype::kQ4}) {
      const std::string path = folder.File("large.thimble.safetensors");
      ConvertOptions options;
      options.dtype = DtypeName(dtype);
      options.calibrate = false;
      ASSERT_TRUE(ConvertModel(folder.path(), path, options).ok());
      const format::WeightFormat words = format::WordsFormat(format::FormatsOf(dtype), vocabulary);
      const std::string name(format::WeightFormatName(words));
      EXPECT_EQ(*format::Reader::Open(path)->Metadata("embeddings.words.format"), name);
      const auto receipt = ReadReceipt(*Open(path));
      ASSERT_TRUE(receipt.ok() && *receipt);
      EXPECT_NE((*receipt)->recipe.find("words " + name + ","), std::string::npos) << (*receipt)->recipe;
      const bool changed = words != format::FormatsOf(dtype).words;
      EXPECT_EQ(changed, vocabulary == format::kLargeVocabulary && dtype != Dtype::kFp32);
      EXPECT_EQ(!(*receipt)->notes.empty() && (*receipt)->notes.back().starts_with("words in q4: "), changed);
      EXPECT_TRUE(Verify(Open(path))->ok());
    }
  }
}

TEST_F(ReceiptTest, AFlippedBitOfTheWeightsIsFoundEvenWhereNoTextMeetsIt) {
  const std::string path = Convert(Dtype::kQ8);
  for (const char* tensor : {"embeddings.words.weight", "layers.1.ffn_out.bias", "tokenizer.normalizer.blocks"}) {
    auto verification = Verify(Changed(path, "name", "other", tensor));
    ASSERT_TRUE(verification.ok()) << verification.status().message();
    EXPECT_FALSE(verification->weights_match) << tensor;
    EXPECT_FALSE(verification->ok());
  }
  EXPECT_TRUE(Verify(Changed(path, "name", "other", ""))->ok()) << "the name is not a weight";
}

TEST_F(ReceiptTest, ATextWhoseVectorDiffersIsNamed) {
  auto verification = Verify(Changed(Convert(Dtype::kQ8), "name", "other", "receipt.golden_vectors"));
  ASSERT_TRUE(verification.ok()) << verification.status().message();
  EXPECT_TRUE(verification->weights_match);
  ASSERT_EQ(verification->differences.size(), 1u);
  EXPECT_TRUE(verification->differences[0].text.starts_with("Glass is made by melting sand"));
  EXPECT_GT(verification->differences[0].largest, 0);
}

TEST_F(ReceiptTest, AChangedSettingChangesVectors) {
  auto verification = Verify(Changed(Convert(Dtype::kQ8), "pooling", "cls", ""));
  ASSERT_TRUE(verification.ok());
  EXPECT_TRUE(verification->weights_match);
  EXPECT_EQ(verification->differences.size(), 12u);
}

TEST_F(ReceiptTest, OlderFilesAndMocksHaveNone) {
  const auto old = Changed(Convert(Dtype::kQ8), "receipt.recipe", "", "");
  for (const auto& model : {old, Open("mock")}) {
    auto receipt = ReadReceipt(*model);
    ASSERT_TRUE(receipt.ok());
    EXPECT_FALSE(*receipt);
    EXPECT_EQ(Verify(model).status().code(), Code::kNotFound);
  }
  EXPECT_EQ(Verify(nullptr).status().code(), Code::kInvalidArgument);
}

TEST_F(ReceiptTest, MalformedOnesAreRefused) {
  const std::string path = Convert(Dtype::kQ8);
  for (const char* key : {"receipt.goldens", "receipt.cosine_min", "receipt.texts"}) {
    const auto model = Changed(path, key, "many", "");
    EXPECT_EQ(ReadReceipt(*model).status().code(), Code::kCorrupt) << key;
    EXPECT_EQ(Verify(model).status().code(), Code::kCorrupt) << key;
  }
  // More texts than the tensor has.
  EXPECT_EQ(Verify(Changed(path, "receipt.goldens", "4000", "")).status().code(), Code::kCorrupt);
}

TEST_F(ReceiptTest, FingerprintIsThatOfTheVectorsAndOfNothingElse) {
  const std::string path = Convert(Dtype::kQ8);
  const std::string fingerprint = Open(path)->info().fingerprint;
  EXPECT_EQ(fingerprint.size(), 32u);
  EXPECT_EQ(Changed(path, "name", "other", "")->info().fingerprint, fingerprint);
  EXPECT_EQ(Changed(path, "receipt.calibration", "other", "")->info().fingerprint, fingerprint);
  // Files from before it was stated.
  for (const char* choice :
       {"encoder.positions", "encoder.attention", "encoder.feed_forward", "encoder.norm", "encoder.norm_place"}) {
    ASSERT_TRUE(format::Reader::Open(path)->Metadata(choice)) << choice;
    const auto old = Changed(path, choice, "", "");
    EXPECT_EQ(old->info().fingerprint, fingerprint) << choice;
    EXPECT_TRUE(Verify(old)->ok()) << choice;
  }
  for (const auto& [key, value] : {std::pair{"pooling", "cls"},
                                   {"normalize", "false"},
                                   {"max_tokens", "32"},
                                   {"layer_norm_eps", "1e-5"},
                                   {"weights.sha256", "0"}}) {
    EXPECT_NE(Changed(path, key, value, "")->info().fingerprint, fingerprint) << key;
  }
  EXPECT_EQ(Changed(path, "weights.sha256", "", "")->info().fingerprint, "");
  EXPECT_EQ(Open("mock")->info().fingerprint, "");
  EXPECT_NE(Open(Convert(Dtype::kQ4))->info().fingerprint, fingerprint);
}

}  // namespace
}  // namespace thimble
