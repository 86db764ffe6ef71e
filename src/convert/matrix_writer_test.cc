// Tests of the layouts: every stored element is where docs/format.md says, and means what it says.

#include "convert/matrix_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "convert/quantize.h"
#include "format/reader.h"
#include "kernels/half.h"
#include "tests/support/test_model.h"

namespace thimble::convert {
namespace {

using kernels::WeightFormat;
using test::TemporaryFolder;

constexpr std::size_t kOutputs = 64, kInputs = 128;

std::vector<float> RandomValues(std::size_t size) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.1f);
  std::vector<float> values(size);
  for (float& value : values) value = normal(random);
  return values;
}

ReadRows RowsOf(const std::vector<float>& values, std::size_t width) {
  return [&values, width](std::size_t first, std::span<float> out) {
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(first * width), out.size(), out.begin());
    return Status();
  };
}

// Writes one matrix or table and opens the file.
template <typename Spec, typename Write>
format::Reader Written(const TemporaryFolder& folder, const Spec& spec, Write write) {
  format::Layout layout;
  Declare(spec, &layout);
  auto writer = format::Writer::Create(folder.File("file"), layout);
  EXPECT_TRUE(writer.ok());
  Status status = write(&*writer);
  EXPECT_TRUE(status.ok()) << status.message();
  EXPECT_TRUE(writer->Finish().ok());
  auto reader = format::Reader::Open(folder.File("file"));
  EXPECT_TRUE(reader.ok()) << reader.status().message();
  return std::move(*reader);
}

class WriteMatrixTest : public testing::Test {
 protected:
  WriteMatrixTest() : weights_(RandomValues(kOutputs * kInputs)), bias_(RandomValues(kOutputs)) {}

  format::Reader Write(const MatrixSpec& spec) {
    return Written(folder_, spec, [&](format::Writer* writer) {
      return WriteMatrix(spec, RowsOf(weights_, kInputs), nullptr, bias_, writer);
    });
  }
  std::vector<float> Row(std::size_t n) const {
    return {weights_.begin() + static_cast<std::ptrdiff_t>(n * kInputs),
            weights_.begin() + static_cast<std::ptrdiff_t>((n + 1) * kInputs)};
  }

  TemporaryFolder folder_;
  std::vector<float> weights_, bias_;
};

TEST_F(WriteMatrixTest, FloatsLieInStripsOf16Outputs) {
  const format::Reader reader = Write({"m", WeightFormat::kF32, kOutputs, kInputs, std::nullopt});
  auto stored = reader.Tensor<float>("m.weight", {kOutputs / 16, kInputs, 16});
  ASSERT_TRUE(stored.ok()) << stored.status().message();
  for (std::size_t n = 0; n < kOutputs; ++n) {
    for (std::size_t k = 0; k < kInputs; ++k) {
      ASSERT_EQ((*stored)[n / 16 * kInputs * 16 + k * 16 + n % 16], weights_[n * kInputs + k]) << n << " " << k;
    }
  }
  auto bias = reader.Tensor<float>("m.bias", {kOutputs});
  EXPECT_TRUE(std::equal(bias->begin(), bias->end(), bias_.begin(), bias_.end()));
  EXPECT_EQ(reader.Metadata("m.format"), "fp32");
}

TEST_F(WriteMatrixTest, HalvesLieInStripsOf16Outputs) {
  const format::Reader reader = Write({"m", WeightFormat::kF16, kOutputs, kInputs, std::nullopt});
  auto stored = reader.Tensor<format::Half>("m.weight", {kOutputs / 16, kInputs, 16});
  ASSERT_TRUE(stored.ok()) << stored.status().message();
  for (std::size_t n = 0; n < kOutputs; ++n) {
    for (std::size_t k = 0; k < kInputs; ++k) {
      ASSERT_EQ((*stored)[n / 16 * kInputs * 16 + k * 16 + n % 16].bits,
                kernels::FloatToHalf(weights_[n * kInputs + k]));
    }
  }
}

TEST_F(WriteMatrixTest, Int8LiesInStripsOf16OutputsOfFourInputsEach) {
  const kernels::Rotation rotation = kernels::RotationFor(kInputs);
  const format::Reader reader = Write({"m", WeightFormat::kQ8, kOutputs, kInputs, rotation});
  auto stored = reader.Tensor<std::int8_t>("m.weight", {kOutputs / 16, kInputs / 4, 16, 4});
  auto scale = reader.Tensor<float>("m.scale", {kOutputs});
  auto comp = reader.Tensor<std::int32_t>("m.comp", {kOutputs});
  ASSERT_TRUE(stored.ok() && scale.ok() && comp.ok());
  for (std::size_t n = 0; n < kOutputs; ++n) {
    std::vector<float> row = Row(n);
    RotateWeights(rotation, row);
    Int8Row expected;
    QuantizeInt8(row, &expected);
    EXPECT_EQ((*scale)[n], expected.scale);
    std::int32_t sum = 0;
    for (std::size_t k = 0; k < kInputs; ++k) {
      const std::size_t at = ((n / 16 * (kInputs / 4) + k / 4) * 16 + n % 16) * 4 + k % 4;
      ASSERT_EQ((*stored)[at], expected.codes[k]) << n << " " << k;
      sum += expected.codes[k];
    }
    EXPECT_EQ((*comp)[n], -128 * sum);
  }
}

TEST_F(WriteMatrixTest, FourBitsUnpackAsTheFormatSays) {
  const format::Reader reader = Write({"m", WeightFormat::kQ4, kOutputs, kInputs, std::nullopt});
  auto stored = reader.Tensor<std::uint8_t>("m.weight", {kOutputs / 16, kInputs / 8, 16, 4});
  auto groups = reader.Tensor<std::uint8_t>("m.groups", {kOutputs / 16, kInputs / 32 * 24});
  auto scale = reader.Tensor<float>("m.scale", {kOutputs});
  auto comp = reader.Tensor<std::int32_t>("m.comp", {kOutputs});
  ASSERT_TRUE(stored.ok() && groups.ok() && scale.ok() && comp.ok());
  for (std::size_t n = 0; n < kOutputs; ++n) {
    TwoLevelRow expected;
    QuantizeTwoLevel(format::MatrixLevels(format::WeightFormat::kQ4), Row(n), &expected);
    EXPECT_EQ((*scale)[n], expected.scale);
    const std::size_t strip = n / 16, column = n % 16;
    std::int32_t sum = 0;
    for (std::size_t k = 0; k < kInputs; ++k) {
      const std::size_t group = k / 32, i = k % 4;
      const std::uint8_t byte = (*stored)[((strip * (kInputs / 8) + k / 8) * 16 + column) * 4 + i];
      const int code = k % 8 < 4 ? byte & 15 : byte >> 4;
      const std::uint8_t* data = &(*groups)[(strip * (kInputs / 32) + group) * 24];
      const int offset = data[column];
      const int multiplier = (data[16 + column / 2] >> (column % 2 * 4) & 15) + 1;
      const int value = multiplier * code - offset;
      ASSERT_EQ(value, expected.Value(k)) << n << " " << k;
      ASSERT_GE(value, -128);
      ASSERT_LE(value, 127);
      sum += value;
    }
    EXPECT_EQ((*comp)[n], -128 * sum);
  }
}

TEST_F(WriteMatrixTest, SixBitsUnpackAsTheFormatSays) {
  const format::Reader reader = Write({"m", WeightFormat::kQ6, kOutputs, kInputs, std::nullopt});
  constexpr std::size_t kStripGroups = 48;  // Two groups of 20 bytes, filled up to a multiple of 16.
  auto stored = reader.Tensor<std::uint8_t>("m.weight", {kOutputs / 16, kInputs / 16, 3, 16, 4});
  auto groups = reader.Tensor<std::uint8_t>("m.groups", {kOutputs / 16, kStripGroups});
  auto scale = reader.Tensor<float>("m.scale", {kOutputs});
  auto comp = reader.Tensor<std::int32_t>("m.comp", {kOutputs});
  ASSERT_TRUE(stored.ok() && groups.ok() && scale.ok() && comp.ok());
  for (std::size_t n = 0; n < kOutputs; ++n) {
    TwoLevelRow expected;
    QuantizeTwoLevel(format::MatrixLevels(format::WeightFormat::kQ6), Row(n), &expected);
    EXPECT_EQ((*scale)[n], expected.scale);
    const std::size_t strip = n / 16, column = n % 16;
    std::int32_t sum = 0;
    for (std::size_t k = 0; k < kInputs; ++k) {
      auto byte = [&](std::size_t b) {
        return (*stored)[(((strip * (kInputs / 16) + k / 16) * 3 + b) * 16 + column) * 4 + k % 4];
      };
      const std::size_t line = k % 16 / 4;
      const int code = line < 3 ? byte(line) & 63 : byte(0) >> 6 | byte(1) >> 6 << 2 | byte(2) >> 6 << 4;
      const std::uint8_t* data = &(*groups)[strip * kStripGroups + k / 64 * 20];
      const int offset = data[column];
      const int multiplier = (data[16 + column / 4] >> (column % 4 * 2) & 3) + 1;
      const int value = multiplier * code - offset;
      ASSERT_EQ(value, expected.Value(k)) << n << " " << k;
      ASSERT_GE(value, -128);
      ASSERT_LE(value, 127);
      sum += value;
    }
    EXPECT_EQ((*comp)[n], -128 * sum);
  }
}

TEST_F(WriteMatrixTest, AFailureOfTheSourceIsReturned) {
  const MatrixSpec spec = {"m", WeightFormat::kQ8, kOutputs, kInputs, std::nullopt};
  format::Layout layout;
  Declare(spec, &layout);
  auto writer = format::Writer::Create(folder_.File("file"), layout);
  ASSERT_TRUE(writer.ok());
  auto read = [](std::size_t first, std::span<float>) {
    return first == 16 ? Status(Code::kIo, "the disk is gone") : Status();
  };
  EXPECT_EQ(WriteMatrix(spec, read, nullptr, bias_, &*writer).message(), "the disk is gone");
}

TEST(WriteTable, Int8RowsHaveAScaleEachPaddedToWholeCacheLines) {
  constexpr std::size_t kRows = 133, kWidth = 64;  // More than are read at a time, and no multiple of 32.
  std::vector<float> values = RandomValues(kRows * kWidth);
  std::fill_n(values.begin() + 5 * kWidth, kWidth, 0.0f);
  TemporaryFolder folder;
  const TableSpec spec = {"t", WeightFormat::kQ8, kRows, kWidth};
  const format::Reader reader =
      Written(folder, spec, [&](format::Writer* writer) { return WriteTable(spec, RowsOf(values, kWidth), writer); });
  auto stored = reader.Tensor<std::int8_t>("t.weight", {kRows, kWidth});
  auto scale = reader.Tensor<format::Half>("t.scale", {160});
  ASSERT_TRUE(stored.ok() && scale.ok());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const float step = kernels::HalfToFloat((*scale)[i / kWidth].bits);
    ASSERT_LE(std::fabs(static_cast<float>((*stored)[i]) * step - values[i]), 0.50001f * step) << i;
  }
  EXPECT_EQ((*scale)[5].bits, 0);
  for (std::size_t i = kRows; i < scale->size(); ++i) EXPECT_EQ((*scale)[i].bits, 0);
}

TEST(WriteTable, RowsOfSixAndFourBitsAreOneRunOfBytesEach) {
  constexpr std::size_t kRows = 67, kWidth = 192;
  const std::vector<float> values = RandomValues(kRows * kWidth);
  for (WeightFormat format : {WeightFormat::kQ6, WeightFormat::kQ4}) {
    const bool six = format == WeightFormat::kQ6;
    const std::size_t code_bytes = six ? kWidth * 3 / 4 : kWidth / 2, row_bytes = code_bytes + (six ? 2 : 6);
    TemporaryFolder folder;
    const TableSpec spec = {"t", format, kRows, kWidth};
    const format::Reader reader =
        Written(folder, spec, [&](format::Writer* writer) { return WriteTable(spec, RowsOf(values, kWidth), writer); });
    auto stored = reader.Tensor<std::uint8_t>("t.weight", {(kRows * row_bytes + 63) / 64 * 64});
    auto scale = reader.Tensor<format::Half>("t.scale", {96});
    ASSERT_TRUE(stored.ok() && scale.ok());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::uint8_t* row = stored->data() + i / kWidth * row_bytes;
      const std::size_t k = i % kWidth;
      int code, multiplier;
      if (six) {
        const std::uint8_t* three = row + k / 64 * 48 + k % 16;
        const std::size_t line = k % 64 / 16;
        code = line < 3 ? three[16 * line] & 63 : three[0] >> 6 | three[16] >> 6 << 2 | three[32] >> 6 << 4;
        multiplier = (row[code_bytes + k / 32 / 4] >> (k / 32 % 4 * 2) & 3) + 1;
      } else {
        code = row[k / 32 * 16 + k % 16] >> (k % 32 / 16 * 4) & 15;
        multiplier = (row[code_bytes + k / 16 / 2] >> (k / 16 % 2 * 4) & 15) + 1;
      }
      const float step = kernels::HalfToFloat((*scale)[i / kWidth].bits) * static_cast<float>(multiplier);
      const int half = six ? 32 : 8;
      // The search may clip the largest values of a group.
      if (code == 0 || code == 2 * half - 1) continue;
      ASSERT_LE(std::fabs(step * static_cast<float>(code - half) - values[i]), 0.50001f * step) << i;
    }
  }
}

TEST(WriteTable, ValuesBeyondBinary16AreRefused) {
  for (auto [format, largest] :
       {std::pair(WeightFormat::kF16, 65504.0f), std::pair(WeightFormat::kQ8, 127 * 65504.0f)}) {
    for (bool fits : {true, false}) {
      const std::vector<float> values(64, fits ? largest : 1.01f * largest);
      TemporaryFolder folder;
      const TableSpec spec = {"t", format, 1, 64};
      format::Layout layout;
      Declare(spec, &layout);
      auto writer = format::Writer::Create(folder.File("file"), layout);
      ASSERT_TRUE(writer.ok());
      EXPECT_EQ(WriteTable(spec, RowsOf(values, 64), &*writer).code(), fits ? Code::kOk : Code::kUnsupported);
    }
  }
}

}  // namespace
}  // namespace thimble::convert
