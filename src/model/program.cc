// From a description to steps.

#include "model/program.h"

namespace thimble::inline v0_1 {

Program::Program(const Architecture& a)
    : architecture(a),
      stream_rotation(kernels::RotationFor(a.hidden)),
      inner_rotation(kernels::RotationFor(a.intermediate)) {
  using enum Buffer;
  using enum Step::Kind;
  layer = {
      {.kind = kAttention, .name = "qkv", .in = kStream, .out = kContext, .outputs = 3 * a.hidden},
      {.kind = kLinear, .name = "attention_output", .in = kContext, .out = kStream, .outputs = a.hidden, .add = true},
      {.kind = kNorm, .name = "attention_norm", .in = kStream, .out = kStream},
      {.kind = kLinear,
       .name = "ffn_in",
       .in = kStream,
       .out = kInner,
       .outputs = a.intermediate,
       .activation = a.activation},
      {.kind = kLinear, .name = "ffn_out", .in = kInner, .out = kStream, .outputs = a.hidden, .add = true},
      {.kind = kNorm, .name = "ffn_norm", .in = kStream, .out = kStream},
  };
  for (Step& step : layer) {
    step.inputs = Width(step.in);
    step.index = step.kind == kNorm ? norms++ : matrices++;
  }
}

}  // namespace thimble::inline v0_1
