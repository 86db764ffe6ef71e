// From the vectors of a text's tokens to the vector of the text.

#ifndef THIMBLE_MODEL_POOLING_H_
#define THIMBLE_MODEL_POOLING_H_

#include <cstddef>

#include "kernels/kernels.h"
#include "thimble/model.h"

namespace thimble {

// Pools `tokens` rows of `width` floats into `out` [width], to unit length where `normalize`.
void Pool(const kernels::Kernels& kernels, Pooling pooling, bool normalize, const float* rows, std::size_t tokens,
          std::size_t width, float* out);

}  // namespace thimble

#endif  // THIMBLE_MODEL_POOLING_H_
