// What a public Model holds.

#ifndef THIMBLE_RUNTIME_MODEL_IMPL_H_
#define THIMBLE_RUNTIME_MODEL_IMPL_H_

#include <utility>

#include "format/reader.h"
#include "model/weights.h"
#include "thimble/model.h"

namespace thimble {

struct Model::Impl {
  Impl(format::Reader r, Weights w) : reader(std::move(r)), weights(std::move(w)) {}

  format::Reader reader;  // Owns what `weights` views.
  Weights weights;
};

// `requested` tokens, or the model's default for 0. kInvalidArgument above the positions, or with no room beside the
// special tokens.
Result<std::size_t> ResolveMaxTokens(const Weights& weights, std::size_t requested);

}  // namespace thimble

#endif  // THIMBLE_RUNTIME_MODEL_IMPL_H_
