// How weights are stored: the formats of matrices and tables, with all that follows from the width of their codes.
// docs/format.md draws them.

#ifndef THIMBLE_FORMAT_WEIGHT_FORMAT_H_
#define THIMBLE_FORMAT_WEIGHT_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

namespace thimble::format {

// Every format cuts the N outputs of a matrix into strips of 16, consecutive in memory.
//   kF32, kF16   [N/16][K][16]
//   kQ8          [N/16][K/4][16][4] int8, w[n][k] = scale[n] * q
//   kQ6, kQ4     codes of 6 or 4 bits and, beside them, the integers of each group of inputs; see TwoLevel
enum class WeightFormat : std::uint8_t { kF32, kF16, kQ8, kQ6, kQ4 };

// In their order.
inline constexpr std::string_view kWeightFormatNames[] = {"fp32", "fp16", "q8", "q6", "q4"};
constexpr std::string_view WeightFormatName(WeightFormat format) {
  return kWeightFormatNames[static_cast<std::size_t>(format)];
}

inline constexpr std::size_t kStrip = 16;  // Outputs in a strip: one 512-bit vector of int32.

// The two-level integer form of a row: w[k] = scale * (m code[k] - o), where the integers m, from 1 to
// 2^multiplier_bits, and o belong to a group of consecutive inputs. m code - o fits in an int8, so that unpacked
// weights are those of q8.
struct TwoLevel {
  int bits = 0;  // Of a code, 4 or 6.
  std::size_t group = 0;
  int multiplier_bits = 0;  // 2 or 4: m - 1 is stored.
  bool offsets = false;     // Whether o is stored, a byte from 0 to 128; else it is m half().

  constexpr int largest_code() const { return (1 << bits) - 1; }
  constexpr int half() const { return 1 << (bits - 1); }
  constexpr int largest_multiplier() const { return 1 << multiplier_bits; }

  // Codes lie in bundles of lines, the last of which has no bytes of its own: byte i of stored line b holds code i of
  // line b in its low bits, and in the others bits from b * spare_bits() on of code i of the last line.
  constexpr int spare_bits() const { return 8 - bits; }
  constexpr std::size_t stored_lines() const { return static_cast<std::size_t>(bits / spare_bits()); }
  constexpr std::size_t bundle_lines() const { return stored_lines() + 1; }
  // The code of a byte of a stored line; and of the last line, of bytes `step` apart.
  constexpr std::uint8_t StoredCode(std::uint8_t byte) const {
    return static_cast<std::uint8_t>(byte & largest_code());
  }
  constexpr std::uint8_t LastCode(const std::uint8_t* bytes, std::size_t step) const {
    int code = 0;
    for (std::size_t b = 0; b < stored_lines(); ++b) code |= bytes[b * step] >> bits << b * spare_bits();
    return static_cast<std::uint8_t>(code);
  }
  // Puts a code of a line into bytes `step` apart, where its bits are 0.
  constexpr void SetCode(std::uint8_t* bytes, std::size_t step, std::size_t line, int code) const {
    const auto add = [&](std::size_t b, int value) {
      bytes[b * step] = static_cast<std::uint8_t>(bytes[b * step] | value);
    };
    if (line < stored_lines()) return add(line, code);
    for (std::size_t b = 0; b < stored_lines(); ++b) add(b, code >> b * spare_bits() << bits);
  }
  // Bytes of the codes of `count` weights, in whole bundles.
  constexpr std::size_t CodeBytes(std::size_t count) const { return count * static_cast<std::size_t>(bits) / 8; }

  // Bytes of the multipliers of `count` groups.
  constexpr std::size_t MultiplierBytes(std::size_t count) const {
    return (count * static_cast<std::size_t>(multiplier_bits) + 7) / 8;
  }
  // Multiplier number `index` of packed ones.
  constexpr int Multiplier(const std::uint8_t* packed, std::size_t index) const {
    const std::size_t bit = index * static_cast<std::size_t>(multiplier_bits);
    return (packed[bit / 8] >> bit % 8 & (largest_multiplier() - 1)) + 1;
  }
  // Puts it there, where the bits are 0.
  constexpr void SetMultiplier(std::uint8_t* packed, std::size_t index, int multiplier) const {
    const std::size_t bit = index * static_cast<std::size_t>(multiplier_bits);
    packed[bit / 8] = static_cast<std::uint8_t>(packed[bit / 8] | (multiplier - 1) << bit % 8);
  }
  // Bytes of the offsets and multipliers of a strip and a group: 16 offsets, then the multipliers, channel by channel
  // from the low bits of the first byte.
  constexpr std::size_t GroupBytes() const { return kStrip + MultiplierBytes(kStrip); }
  // The same of a strip and all its groups, filled up so that those of four strips are whole cache lines.
  constexpr std::size_t StripGroupBytes(std::size_t inputs) const {
    return (inputs / group * GroupBytes() + 15) / 16 * 16;
  }
};

// All formats of that form.
//   Matrices: lines of [16 outputs][4 inputs], codes [N/16][K / (4 bundle_lines)][stored_lines][16][4] bytes; group
//   data [N/16][StripGroupBytes(K)].
//   Tables, whose rows are each one run of bytes: lines of 16 columns, then the multipliers.
struct TwoLevelFormat {
  WeightFormat format;
  TwoLevel matrix, row;
};
inline constexpr TwoLevelFormat kTwoLevelFormats[] = {
    {.format = WeightFormat::kQ6,
     .matrix = {.bits = 6, .group = 64, .multiplier_bits = 2, .offsets = true},
     .row = {.bits = 6, .group = 32, .multiplier_bits = 2, .offsets = false}},
    {.format = WeightFormat::kQ4,
     .matrix = {.bits = 4, .group = 32, .multiplier_bits = 4, .offsets = true},
     .row = {.bits = 4, .group = 16, .multiplier_bits = 4, .offsets = false}}};

// Of another format, those of the first.
constexpr const TwoLevelFormat& TwoLevelOf(WeightFormat format) {
  for (const TwoLevelFormat& entry : kTwoLevelFormats) {
    if (entry.format == format) return entry;
  }
  return kTwoLevelFormats[0];
}
constexpr bool IsTwoLevel(WeightFormat format) { return TwoLevelOf(format).format == format; }
// Whether products take int8 activations.
constexpr bool IsInteger(WeightFormat format) { return format == WeightFormat::kQ8 || IsTwoLevel(format); }
constexpr const TwoLevel& MatrixLevels(WeightFormat format) { return TwoLevelOf(format).matrix; }
constexpr const TwoLevel& RowLevels(WeightFormat format) { return TwoLevelOf(format).row; }

// Bytes of one row of a table.
constexpr std::size_t RowBytes(WeightFormat format, std::size_t width) {
  if (format == WeightFormat::kF32) return 4 * width;
  if (format == WeightFormat::kF16) return 2 * width;
  if (format == WeightFormat::kQ8) return width;
  const TwoLevel& levels = RowLevels(format);
  return levels.CodeBytes(width) + levels.MultiplierBytes(width / levels.group);
}

}  // namespace thimble::format

#endif  // THIMBLE_FORMAT_WEIGHT_FORMAT_H_
