// Weight matrices as they lie in a model file, ready for the kernels of every instruction set. docs/format.md draws
// them.

#ifndef THIMBLE_KERNELS_MATRIX_H_
#define THIMBLE_KERNELS_MATRIX_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/platform.h"

namespace thimble::kernels {

// Every format cuts the N outputs of a matrix into strips of 16, consecutive in memory.
//   kF32, kF16   [N/16][K][16]
//   kQ8          [N/16][K/4][16][4] int8, w[n][k] = scale[n] * q
//   kQ6, kQ4     codes of 6 or 4 bits and, beside them, the integers of each group of inputs; see TwoLevel
enum class WeightFormat : std::uint8_t { kF32, kF16, kQ8, kQ6, kQ4 };

inline constexpr std::size_t kStrip = 16;          // Outputs in a strip: one 512-bit vector of int32.
inline constexpr std::size_t kMaxHeadWidth = 128;  // Queries, keys and values of one attention head.

// The two-level integer form of a row: w[k] = scale * (m code[k] - o), where the integers m, from 1 to
// 2^multiplier_bits, and o belong to a group of consecutive inputs. m code - o fits in an int8, so that unpacked
// weights are those of q8.
struct TwoLevel {
  int bits = 0;  // Of a code, 4 or 6.
  std::size_t group = 0;
  int multiplier_bits = 0;  // 2 or 4: m - 1 is stored.
  bool offsets = false;     // Whether o is stored, a byte from 0 to 128; else it is m 2^(bits - 1).

  constexpr int largest_code() const { return (1 << bits) - 1; }
  constexpr int largest_multiplier() const { return 1 << multiplier_bits; }
  // Bytes of the codes of `count` weights, a multiple of 64.
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
  // Bytes of the offsets and multipliers of a strip and a group: 16 offsets, then the multipliers, channel by channel
  // from the low bits of the first byte.
  constexpr std::size_t GroupBytes() const { return kStrip + MultiplierBytes(kStrip); }
  // The same of a strip and all its groups, filled up so that those of four strips are whole cache lines.
  constexpr std::size_t StripGroupBytes(std::size_t inputs) const {
    return (inputs / group * GroupBytes() + 15) / 16 * 16;
  }
};

// Of matrices.
//   kQ4: codes [N/16][K/8][16][4] bytes; byte [j][c][i] holds the code of k = 8j + i in its low and of k = 8j + 4 + i
//   in
//        its high four bits.
//   kQ6: codes [N/16][K/16][3][16][4] bytes; the low six bits of byte [j][b][c][i] hold the code of k = 16j + 4b + i,
//        and its high two bits are bits 2b and 2b + 1 of the code of k = 16j + 12 + i.
//   Group data [N/16][StripGroupBytes(K)].
inline constexpr TwoLevel kQ4Levels = {.bits = 4, .group = 32, .multiplier_bits = 4, .offsets = true};
inline constexpr TwoLevel kQ6Levels = {.bits = 6, .group = 64, .multiplier_bits = 2, .offsets = true};
constexpr const TwoLevel& MatrixLevels(WeightFormat format) {
  return format == WeightFormat::kQ4 ? kQ4Levels : kQ6Levels;
}

// Of tables, whose rows are each one run of bytes: the codes, then the multipliers.
//   kQ4: byte [j][i] of [width/32][16] holds the code of k = 32j + i in its low and of 32j + 16 + i in its high four
//   bits. kQ6: the low six bits of byte [j][b][i] of [width/64][3][16] hold the code of k = 64j + 16b + i, and its high
//   two
//        bits are bits 2b and 2b + 1 of the code of k = 64j + 48 + i.
inline constexpr TwoLevel kQ4Rows = {.bits = 4, .group = 16, .multiplier_bits = 4, .offsets = false};
inline constexpr TwoLevel kQ6Rows = {.bits = 6, .group = 32, .multiplier_bits = 2, .offsets = false};
constexpr const TwoLevel& RowLevels(WeightFormat format) { return format == WeightFormat::kQ4 ? kQ4Rows : kQ6Rows; }

constexpr bool IsTwoLevel(WeightFormat format) { return format == WeightFormat::kQ6 || format == WeightFormat::kQ4; }
// Whether products take int8 activations.
constexpr bool IsInteger(WeightFormat format) { return format == WeightFormat::kQ8 || IsTwoLevel(format); }

constexpr std::string_view WeightFormatName(WeightFormat format) {
  switch (format) {
    case WeightFormat::kF32:
      return "fp32";
    case WeightFormat::kF16:
      return "fp16";
    case WeightFormat::kQ8:
      return "q8";
    case WeightFormat::kQ6:
      return "q6";
    case WeightFormat::kQ4:
      return "q4";
  }
  return "";
}

// A view of one matrix: y[n] = sum_k w[n][k] x[k] + bias[n].
struct Matrix {
  WeightFormat format = WeightFormat::kF32;
  std::size_t outputs = 0;               // N, a multiple of 16.
  std::size_t inputs = 0;                // K, a multiple of 64.
  const void* weights = nullptr;         // Strips, 64-byte aligned.
  const std::uint8_t* groups = nullptr;  // kQ6 and kQ4 only.
  const float* scale = nullptr;          // [N], integer formats only.
  const std::int32_t* comp = nullptr;    // [N], integer formats only: -128 * sum_k of the int8 weights of n.
  const float* bias = nullptr;           // [N].
};

// A view of a table of rows of RowBytes() each; integer formats have one binary16 scale for each row.
struct Table {
  WeightFormat format = WeightFormat::kF32;
  std::size_t rows = 0;
  std::size_t width = 0;  // A multiple of 64.
  const void* values = nullptr;
  const std::uint16_t* scale = nullptr;  // [rows] binary16, integer formats only.
};

// Bytes of one row of a table.
constexpr std::size_t RowBytes(WeightFormat format, std::size_t width) {
  if (format == WeightFormat::kF32) return 4 * width;
  if (format == WeightFormat::kF16) return 2 * width;
  if (format == WeightFormat::kQ8) return width;
  const TwoLevel& levels = RowLevels(format);
  return levels.CodeBytes(width) + levels.MultiplierBytes(width / levels.group);
}

// Rotation of a matrix's inputs: x' = x R, with R orthogonal up to a factor that the weights absorb.
// The width is taken as vectors of 16 lanes. Where `three`, the vectors fall into thirds and a three-point transform
// mixes vector i of each third; H(`vectors`) mixes that many consecutive vectors (of a third); H4 mixes each four
// lanes.
struct Rotation {
  bool three = false;
  std::size_t vectors = 1;  // 1, 2, 4 or 8.
};

// As a model file spells it, for example "three,h8,h4".
inline std::string RotationName(const Rotation& rotation) {
  return (rotation.three ? "three,h" : "h") + std::to_string(rotation.vectors) + ",h4";
}

// The rotation used for inputs of `width`, a multiple of 64: blocks of 96 for 384 and 768, of 32 for 1536 and 3072.
constexpr Rotation RotationFor(std::size_t width) {
  std::size_t count = width / 16;
  Rotation rotation;
  // Above 48 vectors a third is far away in memory, and eight consecutive vectors mix enough.
  rotation.three = count % 3 == 0 && count <= 48;
  if (rotation.three) count /= 3;
  while (rotation.vectors < 8 && count % (2 * rotation.vectors) == 0) rotation.vectors *= 2;
  return rotation;
}

}  // namespace thimble::kernels

#endif  // THIMBLE_KERNELS_MATRIX_H_
