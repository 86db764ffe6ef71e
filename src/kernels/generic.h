// What the files of an instruction set include before they open their target region.

#ifndef THIMBLE_KERNELS_GENERIC_H_
#define THIMBLE_KERNELS_GENERIC_H_

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <span>
#include <string_view>
#include <utility>

#include "base/checked.h"
#include "format/weight_format.h"
#include "kernels/half.h"
#include "kernels/kernels.h"
#include "kernels/region.h"

namespace thimble::kernels {

// Lines of 64 bytes, 16 outputs of 4 int8 weights, as integer products read them: that of inputs [4i, 4i + 4) of strip
// j is at first + i * step + j * strip.
struct Lines {
  const std::int8_t* first;
  std::size_t step;
  std::size_t strip;
  // Which lines of the next strips are fetched at each: of a run of lines the one at `ahead`, in bytes.
  std::size_t run_mask = ~std::size_t{0}, ahead = 0;
};

// Lines for the tile that fetches part `part` of `parts`, a power of two, of the next strips.
inline Lines PartOf(Lines lines, std::size_t part, std::size_t parts) {
  lines.run_mask = ~(64 * parts - 1);
  lines.ahead = 64 * part;
  return lines;
}

// Rows of activations as integer products read them; x[m][k] = scale[m] * (values[m * stride + k] - 128).
template <typename Code>
struct CodeRows {
  const Code* values;
  std::size_t stride;
  const float* scale;
};

// One for each file of this folder that defines it.
extern const Kernels kScalar;
#if defined(__x86_64__)
extern const Kernels kSse41;
extern const Kernels kAvx2;
extern const Kernels kAvxVnni;
extern const Kernels kAvx512;
extern const Kernels kAvx512Vnni;
extern const Kernels kAmx;
#elif defined(__aarch64__)
extern const Kernels kNeon;
extern const Kernels kNeonDot;
extern const Kernels kNeonI8mm;
#endif

// `kernels` with the functions of rows of a set whose instructions it has too. They would be the same, and a fifth of a
// package is kernels.
template <const Kernels& kOther>
constexpr Kernels WithRowsOf(Kernels kernels) {
  kernels.embed = [](auto... a) { kOther.embed(a...); };
  kernels.layer_norm = [](auto... a) { kOther.layer_norm(a...); };
  kernels.quantize = [](auto... a) { kOther.quantize(a...); };
  kernels.activate = [](auto... a) { kOther.activate(a...); };
  kernels.sum = [](auto... a) { kOther.sum(a...); };
  kernels.weighted_mean = [](auto... a) { kOther.weighted_mean(a...); };
  kernels.largest = [](auto... a) { kOther.largest(a...); };
  kernels.normalize = [](auto... a) { kOther.normalize(a...); };
  return kernels;
}

}  // namespace thimble::kernels

#endif  // THIMBLE_KERNELS_GENERIC_H_
