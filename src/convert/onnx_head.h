// Finds what an ONNX graph does with the last hidden state to make the vector of a text.

#ifndef THIMBLE_CONVERT_ONNX_HEAD_H_
#define THIMBLE_CONVERT_ONNX_HEAD_H_

#include <cstdint>
#include <vector>

#include "convert/onnx_layers.h"
#include "model/head.h"
#include "thimble/status.h"

namespace thimble::convert {

struct OnnxHead {
  model::HeadSpec spec;
  std::vector<NamedOnnxWeight> weights;  // "head.I.linear.weight" and so on, I the index of the module.
};

// The head from `tokens`, the last hidden state of `hidden` components, to `sentence`. kUnsupported, with the node, for
// whatever is not one of the modules that HeadSpec has.
Result<OnnxHead> FindHead(OnnxLayers* layers, OnnxValue tokens, std::uint64_t hidden, OnnxValue sentence);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_ONNX_HEAD_H_
