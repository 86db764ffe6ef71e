// Weight matrices as they lie in a model file, ready for the kernels of every instruction set. docs/format.md draws
// them.

#ifndef THIMBLE_KERNELS_MATRIX_H_
#define THIMBLE_KERNELS_MATRIX_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace thimble::kernels {

// Every format cuts the N outputs into strips of 16, consecutive in memory.
//   kF32, kF16   [N/16][K][16]
//   kQ8          [N/16][K/4][16][4] int8, w[n][k] = scale[n] * q
//   kQ4          [N/16][K/32][4][16][4] bytes of two codes: byte [j][c][i] holds the code of k = 8j + i in its low and
//   of
//                k = 8j + 4 + i in its high four bits; beside it [N/16][K/32][24] bytes of group data: 16 offsets o,
//                then 8 bytes of multipliers (channel c in the low four bits of byte c/2 when c is even, else the
//                high), m - 1. w[n][k] = scale[n] * (m * code - o), and m * code - o fits in int8.
enum class WeightFormat : std::uint8_t { kF32, kF16, kQ8, kQ4 };

inline constexpr std::size_t kStrip = 16;          // Outputs in a strip: one 512-bit vector of int32.
inline constexpr std::size_t kMaxHeadWidth = 128;  // Queries, keys and values of one attention head.
inline constexpr std::size_t kQ4Group = 32;        // Inputs that share a multiplier and an offset.
inline constexpr std::size_t kQ4GroupBytes = 24;   // Offsets and multipliers of a strip and a group.

constexpr std::string_view WeightFormatName(WeightFormat format) {
  switch (format) {
    case WeightFormat::kF32:
      return "fp32";
    case WeightFormat::kF16:
      return "fp16";
    case WeightFormat::kQ8:
      return "q8";
    case WeightFormat::kQ4:
      return "q4";
  }
  return "";
}

// A view of one matrix: y[n] = sum_k w[n][k] x[k] + bias[n].
struct Matrix {
  WeightFormat format = WeightFormat::kF32;
  std::size_t outputs = 0;               // N, a multiple of 16.
  std::size_t inputs = 0;                // K, a multiple of 32.
  const void* weights = nullptr;         // Strips, 64-byte aligned.
  const std::uint8_t* groups = nullptr;  // kQ4 only.
  const float* scale = nullptr;          // [N], kQ8 and kQ4 only.
  const std::int32_t* comp = nullptr;    // [N], kQ8 and kQ4 only: -128 * sum_k of the int8 weights of n.
  const float* bias = nullptr;           // [N].
};

// A view of a table of rows: fp32 or fp16 [rows][width], or int8 with one binary16 scale for each row.
struct Table {
  WeightFormat format = WeightFormat::kF32;  // kF32, kF16 or kQ8.
  std::size_t rows = 0;
  std::size_t width = 0;
  const void* values = nullptr;
  const std::uint16_t* scale = nullptr;  // [rows] binary16, kQ8 only.
};

// Bytes of one value of a table.
constexpr std::size_t ElementBytes(WeightFormat format) {
  return format == WeightFormat::kF32 ? 4 : format == WeightFormat::kF16 ? 2 : 1;
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
