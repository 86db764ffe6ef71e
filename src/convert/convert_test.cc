// Tests of what a conversion puts where, against the source tensors.

#include "thimble/convert.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "convert/source.h"
#include "format/dtypes.h"
#include "format/reader.h"
#include "kernels/half.h"
#include "model/program.h"
#include "tests/support/test_model.h"

namespace thimble::convert {
namespace {

using format::Dtype;
using test::TemporaryFolder;
using test::TestModelOptions;

constexpr std::size_t kHidden = 128, kHeads = 2, kWidth = kHidden / kHeads;

TestModelOptions Small() {
  TestModelOptions options;
  options.hidden = kHidden;
  options.heads = kHeads;
  return options;
}

// A source tensor as floats.
std::vector<float> SourceValues(const std::string& folder, std::string_view name,
                                const std::vector<std::uint64_t>& shape) {
  auto source = Source::Open(folder, "model.safetensors", *FindFamily("bert"));
  EXPECT_TRUE(source.ok());
  auto tensor = source->Find(name, shape);
  EXPECT_TRUE(tensor.ok()) << tensor.status().message();
  std::vector<float> values(shape[0] * (shape.size() > 1 ? shape[1] : 1));
  EXPECT_TRUE(source->Read(**tensor, 0, values).ok());
  return values;
}

format::Reader Converted(const std::string& folder, Dtype dtype) {
  ConvertOptions options;
  options.dtype = DtypeName(dtype);
  options.calibrate = false;
  const Status status = ConvertModel(folder, folder + "/out", options);
  EXPECT_TRUE(status.ok()) << status.message();
  auto reader = format::Reader::Open(folder + "/out");
  EXPECT_TRUE(reader.ok()) << reader.status().message();
  return std::move(*reader);
}

TEST(Convert, QueryKeyAndValueOfAHeadAreOneRunOfOutputsAndScoresAreExponentsOfTwo) {
  TemporaryFolder folder;
  ASSERT_TRUE(test::WriteTestModel(folder.path(), Small()).ok());
  const format::Reader reader = Converted(folder.path(), Dtype::kFp32);
  auto weight = reader.Tensor<float>("layers.1.qkv.weight", {3 * kHidden / 16, kHidden, 16});
  auto bias = reader.Tensor<float>("layers.1.qkv.bias", {3 * kHidden});
  ASSERT_TRUE(weight.ok() && bias.ok());
  const float query_factor = static_cast<float>(std::log2(std::exp(1.0)) / std::sqrt(static_cast<double>(kWidth)));
  const char* parts[] = {"query", "key", "value"};
  for (std::size_t part = 0; part < 3; ++part) {
    const std::string name = std::string("encoder.layer.1.attention.self.") + parts[part];
    const std::vector<float> rows = SourceValues(folder.path(), name + ".weight", {kHidden, kHidden});
    const std::vector<float> biases = SourceValues(folder.path(), name + ".bias", {kHidden});
    const float factor = part == 0 ? query_factor : 1.0f;
    for (std::size_t head = 0; head < kHeads; ++head) {
      for (std::size_t j = 0; j < kWidth; ++j) {
        const std::size_t n = head * 3 * kWidth + part * kWidth + j, row = head * kWidth + j;
        ASSERT_EQ((*bias)[n], biases[row] * factor) << n;
        for (std::size_t k = 0; k < kHidden; ++k) {
          ASSERT_EQ((*weight)[(n / 16 * kHidden + k) * 16 + n % 16], rows[row * kHidden + k] * factor) << n << " " << k;
        }
      }
    }
  }
}

TEST(Convert, EmbeddingsAddUpToTheSources) {
  TemporaryFolder folder;
  const TestModelOptions model = Small();
  ASSERT_TRUE(test::WriteTestModel(folder.path(), model).ok());
  const std::vector<float> positions =
      SourceValues(folder.path(), "embeddings.position_embeddings.weight", {model.positions, kHidden});
  const std::vector<float> types = SourceValues(folder.path(), "embeddings.token_type_embeddings.weight", {2, kHidden});
  {
    const format::Reader reader = Converted(folder.path(), Dtype::kFp32);
    auto table = reader.Tensor<float>("embeddings.positions.weight", {model.positions, kHidden});
    auto offset = reader.Tensor<float>("embeddings.offset", {kHidden});
    ASSERT_TRUE(table.ok() && offset.ok());
    for (std::size_t i = 0; i < positions.size(); ++i) {
      ASSERT_EQ((*table)[i] + (*offset)[i % kHidden], positions[i] + types[i % kHidden]);
    }
  }
  const format::Reader reader = Converted(folder.path(), Dtype::kQ8);
  auto table = reader.Tensor<std::int8_t>("embeddings.positions.weight", {model.positions, kHidden});
  auto scale = reader.Tensor<format::Half>("embeddings.positions.scale", {model.positions});
  auto offset = reader.Tensor<float>("embeddings.offset", {kHidden});
  ASSERT_TRUE(table.ok() && scale.ok() && offset.ok());
  for (std::size_t i = 0; i < positions.size(); ++i) {
    const float step = kernels::HalfToFloat((*scale)[i / kHidden].bits);
    const float sum = static_cast<float>((*table)[i]) * step + (*offset)[i % kHidden];
    // Half a step, and the rounding of floats about 1.
    ASSERT_NEAR(sum, positions[i] + types[i % kHidden], 0.5001f * step + 1e-6f);
  }
}

// By the buckets of transformers, which count distances behind and in front apart: exact up to 8, then logarithmic.
std::size_t BucketOf(std::ptrdiff_t key_behind_query) {
  const auto length = static_cast<double>(std::abs(key_behind_query));
  const double logarithmic = 8 + std::floor(std::log(length / 8) / std::log(128.0 / 8) * 8 + 1e-9);
  return static_cast<std::size_t>(length < 8 ? length : std::min(logarithmic, 15.0)) + (key_behind_query > 0 ? 16 : 0);
}

TEST(Convert, ABiasByBucketsBecomesOneByDistanceInLog2Units) {
  TemporaryFolder folder;
  TestModelOptions model = Small();
  model.mpnet = true;
  ASSERT_TRUE(test::WriteTestModel(folder.path(), model).ok());
  const std::vector<float> buckets =
      SourceValues(folder.path(), "encoder.relative_attention_bias.weight", {32, kHeads});
  for (Dtype dtype : {Dtype::kFp32, Dtype::kQ4}) {
    const format::Reader reader = Converted(folder.path(), dtype);
    const std::optional<std::string_view> reach = reader.Metadata("encoder.relative_reach");
    ASSERT_EQ(reach, "91") << "where the last bucket begins";
    auto bias = reader.Tensor<float>("attention.relative_bias", {kHeads * 192});
    ASSERT_TRUE(bias.ok()) << bias.status().message();
    for (std::size_t head = 0; head < kHeads; ++head) {
      for (std::ptrdiff_t distance = -91; distance <= 91; ++distance) {
        const double expected = buckets[BucketOf(distance) * kHeads + head] * std::log2(std::exp(1.0));
        ASSERT_FLOAT_EQ((*bias)[head * 192 + static_cast<std::size_t>(91 + distance)], static_cast<float>(expected))
            << distance;
      }
    }
  }
  EXPECT_EQ(BucketOf(90), BucketOf(91) - 1);
  EXPECT_EQ(BucketOf(-91), BucketOf(-100000));
}

TEST(Convert, ElementTypeOfTheSourceIsAllThatRoundsItsWeights) {
  const auto bias = [](format::ElementType type) {
    TemporaryFolder folder;
    TestModelOptions model = Small();
    model.type = type;
    EXPECT_TRUE(test::WriteTestModel(folder.path(), model).ok());
    const format::Reader reader = Converted(folder.path(), Dtype::kFp32);
    auto values = reader.Tensor<float>("layers.0.ffn_in.bias", {model.intermediate});
    EXPECT_TRUE(values.ok());
    return std::vector<float>(values->begin(), values->end());
  };
  const std::vector<float> exact = bias(format::ElementType::kF32), half = bias(format::ElementType::kF16),
                           brain = bias(format::ElementType::kBF16);
  for (std::size_t i = 0; i < exact.size(); ++i) {
    EXPECT_EQ(half[i], kernels::HalfToFloat(kernels::FloatToHalf(exact[i])));
    EXPECT_EQ(brain[i], std::bit_cast<float>(std::bit_cast<std::uint32_t>(exact[i]) & 0xffff0000u));
  }
}

TEST(Convert, EveryFamilyNamesAllSizesAndTheTensorsOfAllSteps) {
  for (const Family* family : Families()) {
    model::Architecture sizes;
    for (const model::NamedSize& size : family->sizes) sizes.*size.size = 64;
    for (std::size_t size :
         {sizes.hidden, sizes.layers, sizes.heads, sizes.intermediate, sizes.positions, sizes.vocabulary}) {
      EXPECT_EQ(size, 64u) << family->name;
    }
    EXPECT_EQ(FindFamily(family->name), family);
    for (const char* end : {"Model", "ForMaskedLM"}) {
      EXPECT_EQ(FindFamilyOfClass(std::string(family->class_prefix) + end), family) << family->name;
    }
    EXPECT_EQ(MissingFor(family->name), "");
    EXPECT_TRUE(family->prefix.ends_with('.') && family->layer.ends_with('.')) << family->name;
    std::set<std::string> names;
    for (std::string_view name : {family->words, family->positions, family->embedding_norm}) {
      EXPECT_TRUE(!name.empty() && names.insert(std::string(name)).second) << family->name << " " << name;
    }
    EXPECT_EQ(family->types.empty(), family->token_types == nullptr) << family->name;
    const model::Program program(sizes);
    for (const model::Step& step : program.layer) {
      const auto found = std::find_if(family->steps.begin(), family->steps.end(),
                                      [&](const Family::Weights& one) { return one.step == step.name; });
      ASSERT_NE(found, family->steps.end()) << family->name << " " << step.name;
      for (std::size_t part = 0; part < (step.kind == model::Step::Kind::kAttention ? 3 : 1); ++part) {
        EXPECT_TRUE(names.insert(family->TensorOf(step.name, part)).second) << step.name << " " << part;
      }
    }
  }
}

TEST(Convert, PaddedPositionsAreTheRowOfThePadTokenAndThoseBehindIt) {
  constexpr std::size_t kPadId = 3;
  TemporaryFolder folder;
  TestModelOptions model = Small();
  model.pad_id = kPadId;
  ASSERT_TRUE(test::WriteTestModel(folder.path(), model).ok());
  const std::vector<float> source =
      SourceValues(folder.path(), "embeddings.position_embeddings.weight", {model.positions, kHidden});
  const std::size_t rows = model.positions - kPadId;
  for (Dtype dtype : {Dtype::kFp32, Dtype::kQ8}) {
    const format::Reader reader = Converted(folder.path(), dtype);
    EXPECT_EQ(reader.Metadata("encoder.positions"), "padded");
    EXPECT_EQ(reader.Metadata("encoder.pad_id"), "3");
    EXPECT_EQ(reader.Metadata("positions"), std::to_string(rows - 1));
    if (dtype == Dtype::kQ8) continue;
    auto table = reader.Tensor<float>("embeddings.positions.weight", {rows, kHidden});
    ASSERT_TRUE(table.ok()) << table.status().message();
    EXPECT_TRUE(std::equal(table->begin(), table->begin() + rows * kHidden, source.begin() + kPadId * kHidden));
  }
}

TEST(Convert, SpellingOfTensorNamesDoesNotChangeTheFile) {
  std::vector<std::string> files;
  for (const char* prefix : {"", "bert."}) {
    TemporaryFolder folder;
    TestModelOptions model = Small();
    model.prefix = prefix;
    ASSERT_TRUE(test::WriteTestModel(folder.path(), model).ok());
    ConvertOptions options;
    options.name = "same";
    ASSERT_TRUE(ConvertModel(folder.path(), folder.File("out"), options).ok());
    files.push_back(test::WithoutSourceHash(test::ReadFile(folder.File("out"))));
  }
  EXPECT_TRUE(files[0] == files[1]);
}

TEST(Convert, WithCalibrationGivesTheSameFileWithAnyNumberOfThreads) {
  TemporaryFolder folder;
  ASSERT_TRUE(test::WriteTestModel(folder.path()).ok());
  for (Dtype dtype : {Dtype::kQ8, Dtype::kQ4}) {
    std::vector<std::string> files;
    for (std::size_t threads : {1, 3}) {
      ConvertOptions options;
      options.dtype = DtypeName(dtype);
      options.threads = threads;
      ASSERT_TRUE(ConvertModel(folder.path(), folder.File("out"), options).ok());
      files.push_back(test::ReadFile(folder.File("out")));
    }
    EXPECT_TRUE(files[0] == files[1]) << DtypeName(dtype);
  }
}

TEST(Convert, CalibratesOnTheLinesOfAFile) {
  TemporaryFolder folder;
  ASSERT_TRUE(test::WriteTestModel(folder.path()).ok());
  ASSERT_TRUE(test::WriteFile(folder.File("texts"), "hello world\r\n\nthe cat is running\n").ok());
  ConvertOptions options;
  options.calibration_file = folder.File("texts");
  ASSERT_TRUE(ConvertModel(folder.path(), folder.File("out"), options).ok());
  auto reader = format::Reader::Open(folder.File("out"));
  ASSERT_TRUE(reader.ok());
  // [CLS] hello world [SEP]; [CLS] the cat is run ##n ##ing [SEP]
  EXPECT_TRUE(reader->Text("receipt.calibration")->ends_with(" 12 tokens of a file"))
      << *reader->Text("receipt.calibration");

  ASSERT_TRUE(test::WriteFile(folder.File("texts"), "\n \n").ok());
  Status status = ConvertModel(folder.path(), folder.File("out2"), options);
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_TRUE(status.message().ends_with("no text to calibrate on")) << status.message();
  options.calibration_file = folder.File("absent");
  EXPECT_EQ(ConvertModel(folder.path(), folder.File("out2"), options).code(), Code::kNotFound);
}

TEST(Convert, EachDtypeKeepsItsMatricesAndTablesInTheFormatsOfItsRecipe) {
  TemporaryFolder folder;
  ASSERT_TRUE(test::WriteTestModel(folder.path(), Small()).ok());
  struct Recipe {
    Dtype dtype;
    const char *matrices, *last_attention, *last_feed_forward, *words, *positions;
  };
  for (const Recipe& recipe :
       {Recipe{Dtype::kFp32, "fp32", "fp32", "fp32", "fp32", "fp32"},
        Recipe{Dtype::kFp16, "fp16", "fp16", "fp16", "fp16", "fp16"}, Recipe{Dtype::kQ8, "q8", "q8", "q8", "q8", "q8"},
        Recipe{Dtype::kQ6, "q6", "q8", "q8", "q6", "q8"}, Recipe{Dtype::kQ4, "q4", "q8", "q8", "q6", "q8"},
        Recipe{Dtype::kQ4Small, "q4", "q8", "q4", "q4", "q6"}}) {
    const format::Reader reader = Converted(folder.path(), recipe.dtype);
    for (const char* matrix : {"qkv", "attention_output", "ffn_in", "ffn_out"}) {
      const bool attention = std::string(matrix) == "qkv" || std::string(matrix) == "attention_output";
      EXPECT_EQ(reader.Metadata(std::string("layers.0.") + matrix + ".format"), recipe.matrices);
      EXPECT_EQ(reader.Metadata(std::string("layers.1.") + matrix + ".format"),
                attention ? recipe.last_attention : recipe.last_feed_forward);
    }
    EXPECT_EQ(reader.Metadata("embeddings.words.format"), recipe.words);
    EXPECT_EQ(reader.Metadata("embeddings.positions.format"), recipe.positions);
    EXPECT_EQ(reader.Metadata("dtype"), DtypeName(recipe.dtype));
  }
}

TEST(Convert, ProgressGrowsToOneAndTheNameIsTheFoldersUnlessGiven) {
  TemporaryFolder folder;
  const std::string out = folder.File("out");
  auto path = test::ConvertTestModel(folder.path(), Dtype::kQ8, Small());
  ASSERT_TRUE(path.ok());
  EXPECT_EQ(format::Reader::Open(*path)->Metadata("name"), "test-model");
  std::vector<double> shares;
  ConvertOptions options;
  options.calibrate = false;
  options.name = "given";
  options.progress = [&](double share) {
    shares.push_back(share);
    return true;
  };
  ASSERT_TRUE(ConvertModel(folder.File("test-model/"), out, options).ok());
  EXPECT_EQ(format::Reader::Open(out)->Metadata("name"), "given");
  ASSERT_FALSE(shares.empty());
  EXPECT_TRUE(std::is_sorted(shares.begin(), shares.end()));
  EXPECT_EQ(shares.front(), 0.0);
  EXPECT_EQ(shares.back(), 1.0);
}

TEST(Convert, ProgressThatSaysNoEndsItAndLeavesNothing) {
  TemporaryFolder folder, outputs;
  ASSERT_TRUE(test::WriteTestModel(folder.path()).ok());
  const std::string out = outputs.File("out");
  ConvertOptions options;
  std::size_t calls = 0;
  options.progress = [&](double) { return ++calls > 0; };
  ASSERT_TRUE(ConvertModel(folder.path(), out, options).ok());
  ASSERT_TRUE(test::WriteFile(out, "as it was").ok());
  ASSERT_GT(calls, 100u);
  for (std::size_t last : {std::size_t{1}, calls / 4, calls / 2, calls - 1, calls}) {
    std::size_t seen = 0;
    options.progress = [&](double) { return ++seen < last; };
    const Status status = ConvertModel(folder.path(), out, options);
    EXPECT_EQ(status.code(), Code::kIo);
    EXPECT_EQ(status.message(), "the conversion was aborted");
    EXPECT_EQ(seen, last) << "went on";
    EXPECT_EQ(test::ReadFile(out), "as it was");
    std::filesystem::directory_iterator files(outputs.path());
    EXPECT_EQ(std::distance(begin(files), end(files)), 1);
  }
}

// Weights that all have one value, from zero through subnormals to the largest float.
TEST(Convert, RefusesToWriteWhatItReads) {
  TemporaryFolder folder;
  const std::string source = folder.File("source"), symbolic = folder.File("symbolic"), hard = folder.File("hard");
  std::filesystem::create_directory(source);
  ASSERT_TRUE(test::WriteTestModel(source).ok());
  ConvertOptions options;
  options.calibrate = false;
  for (const char* name : {"model.safetensors", "tokenizer.json", "config.json", "1_Pooling/config.json"}) {
    const std::string path = source + "/" + name, before = test::ReadFile(path);
    std::filesystem::create_symlink(path, symbolic);
    std::filesystem::create_hard_link(path, hard);
    for (const std::string& output : {path, symbolic, hard, source + "/../source/" + name}) {
      const Status status = ConvertModel(source, output, options);
      EXPECT_EQ(status.code(), Code::kInvalidArgument) << output;
      EXPECT_NE(status.message().find(output), std::string::npos) << status.message();
      EXPECT_NE(status.message().find(path), std::string::npos) << status.message();
    }
    EXPECT_EQ(test::ReadFile(path), before);
    std::filesystem::remove(symbolic);
    std::filesystem::remove(hard);
  }
  const Status of_file = ConvertModel(source + "/config.json", source + "/out.safetensors", options);
  EXPECT_EQ(of_file.code(), Code::kInvalidArgument);
  EXPECT_NE(of_file.message().find("expected a folder, found a file"), std::string::npos) << of_file.message();
  // What the next conversion would read, and what none reads.
  EXPECT_EQ(ConvertModel(source, source + "/vocab.txt", options).code(), Code::kInvalidArgument);
  EXPECT_TRUE(ConvertModel(source, source + "/out.safetensors", options).ok());
}

TEST(Convert, WeightsOfEverySizeConvertOrAreRefused) {
  for (Dtype dtype : {Dtype::kFp32, Dtype::kFp16, Dtype::kQ8, Dtype::kQ6, Dtype::kQ4, Dtype::kQ4Small}) {
    for (float value : {0.0f, 1e-45f, 1e-38f, 1e-20f, 65504.0f, 1e6f, 1e15f, 3e38f}) {
      TemporaryFolder folder;
      ASSERT_TRUE(test::WriteTestModel(folder.path()).ok());
      std::string bytes = test::ReadFile(folder.File("model.safetensors"));
      std::uint64_t header;
      std::memcpy(&header, bytes.data(), 8);
      for (std::size_t i = 8 + header; i < bytes.size(); i += 4) std::memcpy(&bytes[i], &value, 4);
      ASSERT_TRUE(test::WriteFile(folder.File("model.safetensors"), bytes).ok());
      ConvertOptions options;
      options.calibrate = false;
      options.dtype = DtypeName(dtype);
      const Status status = ConvertModel(folder.path(), folder.File("out"), options);
      // Values, or with int8 codes a 127th of them, are kept as binary16; products of 1e15 are beyond fp32.
      const float largest = dtype == Dtype::kFp32 ? 1e6f : dtype == Dtype::kFp16 ? 65504.0f : 127 * 65504.0f;
      const Code expected = value > 1e15f ? Code::kCorrupt : value > largest ? Code::kUnsupported : Code::kOk;
      EXPECT_EQ(CodeName(status.code()), CodeName(expected)) << value << ": " << status.message();
    }
  }
}

}  // namespace
}  // namespace thimble::convert
