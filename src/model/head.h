// What stands behind the encoder: how the vectors of a text's tokens become the vector of the text.

#ifndef THIMBLE_MODEL_HEAD_H_
#define THIMBLE_MODEL_HEAD_H_

#include <cstddef>
#include <vector>

#include "thimble/model.h"

namespace thimble {

// As torch.nn has them; kGelu is the exact one.
enum class HeadActivation { kIdentity, kTanh, kGelu, kRelu, kSilu };

// One step from a vector to the next.
struct HeadModule {
  enum class Kind {
    kDense,      // activation(W x + b), plus x or R x where `residual`.
    kLayerNorm,  // (x - mean) / sqrt(variance + 1e-5) * gamma + beta.
    kNormalize,  // x / max(|x|, 1e-12).
  };
  Kind kind = Kind::kNormalize;
  std::size_t inputs = 0;
  std::size_t outputs = 0;  // The same as `inputs` but for kDense.
  HeadActivation activation = HeadActivation::kIdentity;
  bool bias = false;      // Whether there is a b.
  bool residual = false;  // By R where `inputs` and `outputs` differ.
  bool operator==(const HeadModule&) const = default;
};

// Pools the tokens in each of these ways, side by side, and runs the modules.
struct HeadSpec {
  std::vector<Pooling> pooling;
  bool include_prompt = true;  // Whether a prompt's tokens, and the special ones before it, are pooled.
  std::vector<HeadModule> modules;
  bool operator==(const HeadSpec&) const = default;
};

}  // namespace thimble

#endif  // THIMBLE_MODEL_HEAD_H_
