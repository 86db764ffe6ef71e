// The bias of attention by the distance of a key from its query, stored up to a reach, as a line for any length.

#ifndef THIMBLE_MODEL_RELATIVE_BIAS_H_
#define THIMBLE_MODEL_RELATIVE_BIAS_H_

#include <algorithm>
#include <cstddef>

#include "base/checked.h"
#include "kernels/kernels.h"

namespace thimble::model {

// Floats of a head in a model file: one for each distance from -reach to reach, and filled up to whole cache lines.
constexpr std::size_t BiasRowFloats(std::size_t reach) { return base::RoundUp(2 * reach + 1, 16); }

// Floats of the line for sequences of at most `tokens`.
constexpr std::size_t BiasLineFloats(std::size_t tokens) { return 2 * tokens - 1 + kernels::kBiasTail; }

// Fills the line from the row of a head, whose ends hold for all that is farther away; returns where distance 0 is.
inline const float* FillBiasLine(const float* row, std::size_t reach, std::size_t tokens, float* line) {
  const std::size_t near = std::min(reach, tokens - 1), far = tokens - 1 - near;
  float* next = std::fill_n(line, far, row[0]);
  next = std::copy(row + (reach - near), row + (reach + near + 1), next);
  std::fill_n(next, far + kernels::kBiasTail, row[2 * reach]);
  return line + (tokens - 1);
}

}  // namespace thimble::model

#endif  // THIMBLE_MODEL_RELATIVE_BIAS_H_
