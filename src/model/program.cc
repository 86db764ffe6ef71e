// From a description to steps.

#include "model/program.h"

namespace thimble::model {

Program::Program(const Architecture& a)
    : architecture(a),
      stream_rotation(kernels::RotationFor(a.hidden)),
      inner_rotation(kernels::RotationFor(a.intermediate)) {
  using enum Buffer;
  using enum Step::Kind;
  using enum kernels::Epilogue;
  const bool gelu = a.activation == kernels::Activation::kGelu;
  const auto activation = gelu ? std::nullopt : std::optional(a.activation);
  layer = {
      {kAttention, "qkv", kStream, kContext, 3 * a.hidden},
      {kLinear, "attention_output", kContext, kStream, a.hidden, kAdd},
      {kNorm, "attention_norm", kStream, kStream},
      {kLinear, "ffn_in", kStream, kInner, a.intermediate, gelu ? kGelu : kStore, activation},
      {kLinear, "ffn_out", kInner, kStream, a.hidden, kAdd},
      {kNorm, "ffn_norm", kStream, kStream},
  };
  for (Step& step : layer) {
    step.inputs = Width(step.in);
    step.index = step.kind == kNorm ? norms++ : matrices++;
  }
}

}  // namespace thimble::model
