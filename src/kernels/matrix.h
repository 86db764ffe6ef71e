// Views of the weights of a model file, ready for the kernels of every instruction set.

#ifndef THIMBLE_KERNELS_MATRIX_H_
#define THIMBLE_KERNELS_MATRIX_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/platform.h"
#include "format/weight_format.h"

namespace thimble::kernels {

using format::kStrip;
using format::TwoLevel;
using format::WeightFormat;

inline constexpr std::size_t kMaxHeadWidth = 128;  // Queries, keys and values of one attention head.

// A view of one matrix: y[n] = sum_k w[n][k] x[k] + bias[n].
struct Matrix {
  WeightFormat format = WeightFormat::kF32;
  std::size_t outputs = 0;               // N, a multiple of 16.
  std::size_t inputs = 0;                // K, a multiple of 64.
  const void* weights = nullptr;         // Strips, 64-byte aligned.
  const std::uint8_t* groups = nullptr;  // Two-level formats only.
  const float* scale = nullptr;          // [N], integer formats only.
  const std::int32_t* comp = nullptr;    // [N], integer formats only: -128 * sum_k of the int8 weights of n.
  const float* bias = nullptr;           // [N].
};

// A view of a table of rows of format::RowBytes() each; integer formats have one binary16 scale for each row.
struct Table {
  WeightFormat format = WeightFormat::kF32;
  std::size_t rows = 0;
  std::size_t width = 0;  // A multiple of 64.
  const void* values = nullptr;
  const std::uint16_t* scale = nullptr;  // [rows] binary16, integer formats only.
};

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
