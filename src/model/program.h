// The way of the tokens' rows through a layer, as steps. This list is the only place that knows their order: the
// encoder, the converter's forward pass, and the tensors of a model file follow it.

#ifndef THIMBLE_MODEL_PROGRAM_H_
#define THIMBLE_MODEL_PROGRAM_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/kernels.h"
#include "kernels/matrix.h"
#include "model/architecture.h"

namespace thimble::model {

// What steps read and write, a row for each token.
enum class Buffer : std::uint8_t {
  kStream,   // [hidden] what a layer takes and gives
  kContext,  // [hidden] what attention gives, the heads side by side
  kInner,    // [intermediate] inside the feed-forward network
};

struct Step {
  enum class Kind : std::uint8_t {
    kAttention,  // out = softmax(Q K^T) V of each head, with Q, K and V the product of W and `in`, plus b.
    kLinear,     // out = activation(W in + b), or out + W in + b, by `epilogue` and `activation`.
    kNorm,       // out = norm(in), in place.
  };
  Kind kind;
  std::string_view name;  // Of its weights in each layer of a model file.
  Buffer in, out;
  // Of its matrix; for kAttention, query, key and value of each head in turn, scores in log2 units.
  std::size_t outputs = 0;
  kernels::Epilogue epilogue = kernels::Epilogue::kStore;
  std::optional<kernels::Activation> activation = {};  // Unless the epilogue does it.
  std::size_t inputs = 0;
  std::size_t index = 0;  // Of its weights among the matrices, or the norms, of a layer.

  // Whether rows of `in` become int8 inputs here: those of the stream have become it with their norm.
  bool quantizes() const { return kind == Kind::kLinear && in != Buffer::kStream; }
};

// The name of the weights of a step of layer `layer` in a model file.
inline std::string NameOfStep(std::size_t layer, const Step& step) {
  return "layers." + std::to_string(layer) + "." + std::string(step.name);
}

struct Program {
  explicit Program(const Architecture& architecture);

  std::size_t Width(Buffer buffer) const {
    return buffer == Buffer::kInner ? architecture.intermediate : architecture.hidden;
  }
  // Of the rows of a buffer before they become int8 inputs of a matrix; null for none.
  const kernels::Rotation* RotationOf(Buffer buffer) const {
    return buffer == Buffer::kContext ? nullptr : buffer == Buffer::kInner ? &inner_rotation : &stream_rotation;
  }

  Architecture architecture;
  kernels::Rotation stream_rotation, inner_rotation;
  std::vector<Step> layer;
  std::size_t matrices = 0, norms = 0;  // Of a layer.
};

}  // namespace thimble::model

#endif  // THIMBLE_MODEL_PROGRAM_H_
