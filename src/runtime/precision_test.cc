// Codes are those of sentence-transformers, which scripts/goldens/codes.py wrote down.

#include "thimble/precision.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

namespace thimble::runtime {
namespace {

constexpr Precision kPrecisions[] = {Precision::kFloat32, Precision::kFloat16, Precision::kInt8,
                                     Precision::kUint8,   Precision::kBinary,  Precision::kUbinary};

// Codes as numbers, those of signed types with their sign.
std::vector<int> Numbers(std::span<const std::byte> codes, Precision precision) {
  const bool is_signed = precision == Precision::kInt8 || precision == Precision::kBinary;
  std::vector<int> numbers;
  for (const std::byte code : codes) {
    numbers.push_back(is_signed ? static_cast<std::int8_t>(code) : std::to_integer<int>(code));
  }
  return numbers;
}

TEST(Precision, CodesAreThoseOfSentenceTransformers) {
  const auto golden = nlohmann::json::parse(std::ifstream(THIMBLE_FIXTURES "/codes.json"));
  const std::size_t dimensions = golden["dimensions"];
  std::vector<float> vectors;
  for (const auto& row : golden["vectors"]) {
    for (const double value : row) vectors.push_back(static_cast<float>(value));
  }
  const std::size_t count = vectors.size() / dimensions;
  for (const auto& one : golden["cases"]) {
    const CodeRange range = {one["start"].get<float>(), one["end"].get<float>()};
    for (const Precision precision : kPrecisions) {
      if (precision == Precision::kFloat32 || precision == Precision::kFloat16) continue;
      std::vector<std::byte> codes(count * PrecisionBytes(precision, dimensions));
      ASSERT_TRUE(Quantize(vectors, dimensions, precision, range, codes).ok());
      std::vector<int> expected;
      for (const auto& row : one[std::string(PrecisionName(precision))]) {
        for (const int code : row) expected.push_back(code);
      }
      EXPECT_EQ(Numbers(codes, precision), expected) << PrecisionName(precision) << one["start"];
    }
  }
}

ModelInfo Info() {
  ModelInfo info;
  info.name = "m";
  info.dimensions = 4;
  info.pooling = {Pooling::kMean};
  info.component_limits = {1, 0.9f, 0.8f, 0.7f};
  info.fingerprint = std::string(32, 'a');
  return info;
}

TEST(Precision, TheCodeOfZeroIsZeroAndThatOfTheLimitTheLast) {
  for (const std::size_t dimensions : {1u, 2u, 3u, 4u}) {
    const VectorOptions options = {.dimensions = dimensions};
    const auto range = FindCodeRange(Info(), Precision::kInt8, options);
    ASSERT_TRUE(range.ok()) << range.status().message();
    const float limit = Info().component_limits[dimensions - 1];
    const std::vector<float> vector = {0, limit * 0.999f, -limit, 2, -2, limit / 253, -limit / 253};
    std::vector<std::byte> codes(vector.size());
    ASSERT_TRUE(Quantize(vector, vector.size(), Precision::kInt8, *range, codes).ok());
    const std::vector<int> found = Numbers(codes, Precision::kInt8);
    EXPECT_EQ(std::vector<int>(found.begin(), found.begin() + 2), (std::vector<int>{0, 126}));
    EXPECT_GE(found[2], -127);
    EXPECT_LE(found[2], -126);
    EXPECT_EQ(found[3], 127);
    EXPECT_EQ(found[4], -128);
  }
}

TEST(Precision, Float16RoundsToTheNearest) {
  const float vectors[] = {1, -2, 1.00048828125F, 1.0005F, 65504, 5.9604645e-8F, 0.1F};
  std::vector<std::byte> codes(PrecisionBytes(Precision::kFloat16, std::size(vectors)));
  ASSERT_TRUE(Quantize(vectors, std::size(vectors), Precision::kFloat16, {}, codes).ok());
  std::vector<std::uint16_t> found(std::size(vectors));
  std::memcpy(found.data(), codes.data(), codes.size());
  // 1.00048828125 is halfway between two, of which 1 is even.
  EXPECT_EQ(found, (std::vector<std::uint16_t>{0x3c00, 0xc000, 0x3c00, 0x3c01, 0x7bff, 0x0001, 0x2e66}));
}

TEST(Precision, NamesAreThoseOfSentenceTransformers) {
  for (const Precision precision : kPrecisions) EXPECT_EQ(*ParsePrecision(PrecisionName(precision)), precision);
  EXPECT_NE(ParsePrecision("int4").status().message().find("expected float32, float16, int8, uint8, binary or ubinary"),
            std::string::npos);
}

TEST(Precision, IntegersAreRefusedForVectorsThatWereNotMeasured) {
  ModelInfo info = Info();
  const auto code = [&](const VectorOptions& options) {
    return FindCodeRange(info, Precision::kUint8, options).status().code();
  };
  EXPECT_EQ(code({}), Code::kOk);
  EXPECT_EQ(code({.pooling = Pooling::kMean}), Code::kOk);
  EXPECT_EQ(code({.pooling = Pooling::kCls}), Code::kInvalidArgument);
  EXPECT_EQ(code({.normalize = false}), Code::kInvalidArgument);
  EXPECT_EQ(code({.dimensions = 5}), Code::kInvalidArgument);
  info.normalize = false;
  EXPECT_EQ(code({}), Code::kInvalidArgument);
  EXPECT_EQ(code({.normalize = true}), Code::kOk);
  info.component_limits.clear();
  const auto old = FindCodeRange(info, Precision::kInt8, {.normalize = true});
  EXPECT_EQ(old.status().code(), Code::kUnsupported);
  EXPECT_NE(old.status().message().find("convert or pull the model again"), std::string::npos);
  EXPECT_TRUE(FindCodeRange(info, Precision::kBinary, {.normalize = false}).ok());
}

TEST(Precision, QuantizeRefusesSpansOfOtherSizesAndNoRange) {
  const std::vector<float> vectors(6);
  std::vector<std::byte> codes(6);
  EXPECT_TRUE(Quantize(vectors, 3, Precision::kInt8, {-1, 1}, codes).ok());
  EXPECT_FALSE(Quantize(vectors, 4, Precision::kInt8, {-1, 1}, codes).ok());
  EXPECT_FALSE(Quantize(vectors, 3, Precision::kInt8, {}, codes).ok());
  EXPECT_FALSE(Quantize(vectors, 3, Precision::kUbinary, {}, codes).ok());
  EXPECT_FALSE(Quantize(vectors, 0, Precision::kInt8, {-1, 1}, codes).ok());
}

TEST(SpaceFingerprint, DiffersWhereVectorsOrCodesCannotBeCompared) {
  ModelInfo info = Info();
  std::set<std::string> found;
  for (const Precision precision : kPrecisions) {
    for (const std::size_t dimensions : {3u, 4u}) {
      const auto space = SpaceFingerprint(info, {.dimensions = dimensions}, precision);
      ASSERT_TRUE(space.ok());
      EXPECT_EQ(space->size(), 32u);
      EXPECT_EQ(*space == info.fingerprint, dimensions == 4 && precision == Precision::kFloat32);
      found.insert(*space);
    }
  }
  EXPECT_EQ(found.size(), 2 * std::size(kPrecisions));
  info.component_limits[3] = 0.71f;
  info.layer_norm_before_cut = true;
  EXPECT_TRUE(found.insert(*SpaceFingerprint(info, {}, Precision::kInt8)).second) << "Codes of another range.";
  EXPECT_FALSE(found.insert(*SpaceFingerprint(info, {}, Precision::kBinary)).second);
  EXPECT_TRUE(found.insert(*SpaceFingerprint(info, {.dimensions = 3})).second) << "Another cut.";
  EXPECT_FALSE(SpaceFingerprint(info, {.dimensions = 0}).ok());
  info.fingerprint.clear();
  EXPECT_EQ(*SpaceFingerprint(info, {.dimensions = 3}), "");
}

}  // namespace
}  // namespace thimble::runtime
