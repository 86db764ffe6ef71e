// The seam between the encoder and the instruction sets: one table of functions for each, chosen once.
//
// Row-major operands; a stride counts elements. Integer results are exact, hence equal on every instruction set. Float
// results use fused multiply-add where the formula says fma, sums run over 16 lanes that are then folded in halves, so
// every set that has fused multiply-add gives the same bits. Functions are thread-safe and allocate nothing.

#ifndef THIMBLE_KERNELS_KERNELS_H_
#define THIMBLE_KERNELS_KERNELS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "kernels/matrix.h"
#include "thimble/status.h"

namespace thimble::kernels {

// What Linear does with y = W x + b.
enum class Epilogue {
  kStore,  // out = y
  kAdd,    // out = out + y
  kGelu,   // out = y Phi(y), Phi the normal distribution function
};

// What Activate does with x; s(x) = 1 / (1 + exp(-x)).
enum class Activation {
  kGelu,       // x Phi(x)
  kGeluTanh,   // x s(2 sqrt(2 / pi) (x + 0.044715 x^3)), which is the GELU of tanh.
  kQuickGelu,  // x s(1.702 x)
  kSilu,       // x s(x)
  kRelu,       // max(x, 0)
  kTanh,
};

// Rows of int8 activations: x[m][k] = scale[m] * (values[m * stride + k] - 128).
struct QuantizedRows {
  std::uint8_t* values = nullptr;
  std::size_t stride = 0;
  float* scale = nullptr;
};

// Outputs [begin, end) of a matrix, both multiples of 16, for `rows` rows; output n goes to out[m * stride + n -
// begin].
struct LinearOutput {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::size_t rows = 0;
  Epilogue epilogue = Epilogue::kStore;
  float* out = nullptr;
  std::size_t stride = 0;
};

// One head of one sequence: tokens rows of query, key and value side by side, [tokens][3 * width]; scores are in log2
// units already. The result is softmax(Q K^T + B) V of the first queries, [queries][width], with B null or a bias.
struct AttentionHead {
  const float* qkv = nullptr;
  std::size_t qkv_stride = 0;
  std::size_t tokens = 0;
  std::size_t queries = 0;  // At most `tokens`; of the other rows the query is not read.
  std::size_t width = 0;    // A multiple of 32, at most kMaxHeadWidth.
  float* out = nullptr;
  std::size_t out_stride = 0;
  // Null, or the bias of key j for query i is bias[j - i]; readable from 1 - tokens to tokens - 1 + kBiasTail.
  const float* bias = nullptr;
};
inline constexpr std::size_t kBiasTail = 16;

struct Kernels {
  std::string_view name;  // As given to THIMBLE_ISA.
  bool (*supported)();    // Whether processor and operating system can run it.
  WeightFormat fastest;   // Of matrix products; docs/isa.md has the figures.

  // y with int8 activations and q8, q6 or q4 weights: fma(float(sum_k w[n][k] (values - 128)) * scale[n], scale[m],
  // bias[n]), the sum exact in int32. `panel` holds panel_bytes(w.inputs) bytes, 64-byte aligned. The Gelu is within
  // 1.2e-4.
  void (*linear_int8)(const Matrix& w, const QuantizedRows& x, const LinearOutput& output, std::int8_t* panel);
  std::size_t (*panel_bytes)(std::size_t inputs);
  // y with float activations and fp32 or fp16 weights: fma over k in order, from the bias. The Gelu is within 1e-6.
  void (*linear_float)(const Matrix& w, const float* x, std::size_t x_stride, const LinearOutput& output);

  // out[m] = words[ids[m]] + positions[m] + offset, for the tokens of one sequence from its start.
  void (*embed)(const Table& words, const Table& positions, const float* offset, std::span<const std::int32_t> ids,
                float* out);
  // x = (x - mean) / sqrt(variance + epsilon) * gamma + beta, in place, for `rows` rows of `width`, a multiple of 64.
  void (*layer_norm)(float* x, const float* gamma, const float* beta, float epsilon, std::size_t rows,
                     std::size_t width);
  // Rotates (unless `rotation` is null) and quantises: scale = max|x| / 127, values = round(x / scale) + 128.
  // `workspace` holds `width` floats when there is a rotation.
  void (*quantize)(const float* x, std::size_t rows, std::size_t width, const Rotation* rotation, float* workspace,
                   const QuantizedRows& out);

  // Attention with int8 queries, keys, values and probabilities, each with a scale for its token. `scratch` holds
  // attention_bytes(tokens, width) bytes, 64-byte aligned.
  void (*attention_int8)(const AttentionHead& head, std::byte* scratch);
  // The same in float, within 1e-6 of the exact softmax.
  void (*attention_float)(const AttentionHead& head, std::byte* scratch);
  std::size_t (*attention_bytes)(std::size_t tokens, std::size_t width);

  // x = activation(x), `count` a multiple of 16: within 1e-6 max(1, |x|).
  void (*activate)(Activation activation, float* x, std::size_t count);

  // out = factor times the sum over the rows of x, [rows][width].
  void (*sum)(const float* x, std::size_t rows, std::size_t width, float factor, float* out);
  // out = the mean over the rows of x in which row m counts first + m times.
  void (*weighted_mean)(const float* x, std::size_t rows, std::size_t width, std::size_t first, float* out);
  // out = the largest value of each column over the rows of x, of which there is one.
  void (*largest)(const float* x, std::size_t rows, std::size_t width, float* out);
  // x = x / max(|x|, 1e-12).
  void (*normalize)(float* x, std::size_t width);
};

// The most strips of a matrix product that an instruction set does together.
inline constexpr std::size_t kMaxTileStrips = 3;

// Every table compiled in, best first, whether or not this machine can run it. The last is "scalar", the reference.
std::span<const Kernels* const> AllKernels();

// The table that THIMBLE_ISA names, else the best that this machine runs; decided at the first call.
// kInvalidArgument when THIMBLE_ISA names a set that is unknown or that this machine lacks.
Result<const Kernels*> ChooseKernels();

// The table called `name`, with the same errors.
Result<const Kernels*> FindKernels(std::string_view name);

}  // namespace thimble::kernels

#endif  // THIMBLE_KERNELS_KERNELS_H_
