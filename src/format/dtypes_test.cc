// Tests of the table of dtypes, of the widths of codes, and of the sizes of tensors.

#include "format/dtypes.h"

#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "format/tensors.h"

namespace thimble::format {
namespace {

TEST(Dtypes, AreFoundByTheirNamesAlone) {
  std::set<std::string_view> names;
  for (const DtypeFormats& dtype : kDtypes) {
    EXPECT_TRUE(names.insert(dtype.name).second) << dtype.name;
    const auto parsed = ParseDtype(dtype.name);
    ASSERT_TRUE(parsed.ok()) << dtype.name;
    EXPECT_EQ(DtypeName(*parsed), dtype.name);
  }
  EXPECT_EQ(DtypeName(Dtype::kQ4Small), "q4-small");
  for (std::string_view other : {"", "q", "Q8", "q8 ", "q4-smal", "fp64"}) {
    const Status status = ParseDtype(other).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << other;
    EXPECT_TRUE(status.message().ends_with("expected fp32, fp16, q8, q6, q4 or q4-small")) << status.message();
  }
  EXPECT_EQ(WeightFormatNames(true), "q8, q6 or q4");
  EXPECT_EQ(WeightFormatNames(false), "fp32 or fp16");
}

TEST(Dtypes, WordsOfALargeVocabularyHaveFourBitsWhereWeightsAreIntegers) {
  for (const DtypeFormats& dtype : kDtypes) {
    EXPECT_EQ(WordsFormat(dtype, kLargeVocabulary - 1), dtype.words) << dtype.name;
    EXPECT_EQ(WordsFormat(dtype, kLargeVocabulary), dtype.int8() ? WeightFormat::kQ4 : dtype.words) << dtype.name;
  }
}

// The encoder has one kind of activations for all its matrices, and words and positions are added in float.
TEST(Dtypes, MatricesOfAllLayersTakeTheSameActivations) {
  for (const DtypeFormats& dtype : kDtypes) {
    EXPECT_EQ(IsInteger(dtype.last_attention), dtype.int8()) << dtype.name;
    EXPECT_EQ(IsInteger(dtype.last_feed_forward), dtype.int8()) << dtype.name;
    EXPECT_FALSE(IsInteger(dtype.head)) << dtype.name;
  }
}

TEST(TwoLevel, CodesAreFoundWhereTheyWerePutAndFillTheirBytes) {
  for (const TwoLevelFormat& format : kTwoLevelFormats) {
    for (const TwoLevel& levels : {format.matrix, format.row}) {
      constexpr std::size_t kStep = 3;
      const std::size_t lines = levels.bundle_lines(), stored = levels.stored_lines();
      EXPECT_EQ(levels.CodeBytes(kStep * lines), kStep * stored) << levels.bits;
      std::vector<std::uint8_t> bytes(kStep * stored), all(kStep * stored);
      const auto code_of = [&](std::size_t line, std::size_t i) {
        return static_cast<int>((7 * line + 5 * i + 3) % (1u << levels.bits));
      };
      for (std::size_t line = 0; line < lines; ++line) {
        for (std::size_t i = 0; i < kStep; ++i) {
          levels.SetCode(&bytes[i], kStep, line, code_of(line, i));
          levels.SetCode(&all[i], kStep, line, levels.largest_code());
        }
      }
      for (std::size_t line = 0; line < lines; ++line) {
        for (std::size_t i = 0; i < kStep; ++i) {
          const int found =
              line < stored ? levels.StoredCode(bytes[line * kStep + i]) : levels.LastCode(&bytes[i], kStep);
          EXPECT_EQ(found, code_of(line, i)) << levels.bits << " bits, line " << line;
        }
      }
      for (std::uint8_t byte : all) EXPECT_EQ(byte, 255);
      std::vector<std::uint8_t> packed(levels.MultiplierBytes(9));
      for (std::size_t g = 0; g < 9; ++g) {
        levels.SetMultiplier(packed.data(), g, static_cast<int>(g) % levels.largest_multiplier() + 1);
      }
      for (std::size_t g = 0; g < 9; ++g) {
        EXPECT_EQ(levels.Multiplier(packed.data(), g), static_cast<int>(g) % levels.largest_multiplier() + 1);
      }
    }
  }
}

// Shapes as docs/format.md draws them, sizes as a byte is counted.
TEST(Tensors, HaveTheShapesOfTheirFormat) {
  const auto shape = [](WeightFormat format, std::size_t tensor) {
    return ShapeText(TensorsOfMatrix(format, 32, 128)[tensor].shape());
  };
  EXPECT_EQ(shape(WeightFormat::kF32, 0), "[2, 128, 16]");
  EXPECT_EQ(shape(WeightFormat::kQ8, 0), "[2, 32, 16, 4]");
  EXPECT_EQ(shape(WeightFormat::kQ6, 0), "[2, 8, 3, 16, 4]");
  EXPECT_EQ(shape(WeightFormat::kQ4, 0), "[2, 16, 16, 4]");
  EXPECT_EQ(shape(WeightFormat::kQ6, 1), "[2, 48]");
  EXPECT_EQ(shape(WeightFormat::kQ4, 1), "[2, 96]");
  for (std::size_t i = 0; i < std::size(kWeightFormatNames); ++i) {
    const auto format = static_cast<WeightFormat>(i);
    const std::vector<StoredTensor> matrix = TensorsOfMatrix(format, 32, 128), table = TensorsOfTable(format, 5, 64);
    EXPECT_EQ(matrix[0].suffix(), ".weight");
    EXPECT_EQ(matrix[0].bytes(), format == WeightFormat::kF32   ? 32u * 128 * 4
                                 : format == WeightFormat::kF16 ? 32u * 128 * 2
                                 : format == WeightFormat::kQ8  ? 32u * 128
                                                                : MatrixLevels(format).CodeBytes(32 * 128));
    EXPECT_EQ(matrix.back().suffix(), ".bias");
    EXPECT_EQ(matrix.back().bytes(), 32u * 4);
    EXPECT_EQ(matrix[1].suffix() == ".groups", IsTwoLevel(format));
    EXPECT_EQ(table[0].bytes(), (5 * RowBytes(format, 64) + 63) / 64 * 64);
    ASSERT_EQ(table.size(), IsInteger(format) ? 2u : 1u);
    if (table.size() == 2) {
      EXPECT_EQ(table[1].bytes(), 64u);
    }
  }
}

}  // namespace
}  // namespace thimble::format
