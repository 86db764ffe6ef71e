// Everything above the vector operations, compiled once for each instruction set inside its target region and
// namespace. Nothing else may be included inside the region; what these files need is in generic.h.

// clang-format off: in this order
#include "kernels/math-inl.h"
#include "kernels/rows-inl.h"
#include "kernels/gemm-inl.h"
#include "kernels/packed-inl.h"
#include "kernels/attention-inl.h"
// clang-format on

constexpr Kernels MakeKernels(std::string_view name, bool (*supported)(),
                              decltype(Kernels::linear_int8) linear_int8 = LinearInt8) {
  return {.name = name,
          .supported = supported,
          .linear_int8 = linear_int8,
          .linear_float = LinearFloat,
          .embed = Embed,
          .layer_norm = LayerNorm,
          .quantize = Quantize,
          .attention_int8 = AttentionInt8,
          .attention_float = AttentionFloat,
          .activate = Activate,
          .sum = Sum,
          .weighted_mean = WeightedMean,
          .largest = Largest,
          .normalize = Normalize};
}
