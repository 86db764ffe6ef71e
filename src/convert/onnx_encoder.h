// Finds the weights of an encoder in an ONNX graph by what is done with them: exports do not keep their names.

#ifndef THIMBLE_CONVERT_ONNX_ENCODER_H_
#define THIMBLE_CONVERT_ONNX_ENCODER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "convert/names/family.h"
#include "convert/onnx_layers.h"
#include "thimble/status.h"

namespace thimble::convert {

// What a graph computes from input_ids to the last hidden state.
struct OnnxEncoder {
  std::vector<NamedOnnxWeight> weights;  // As in a model.safetensors of the family.
  std::uint64_t hidden = 0;
  std::uint64_t heads = 0;
  std::string activation;         // By its name in config.json.
  std::optional<double> epsilon;  // Of the layer norms, unless it is kept in 16 bits.
};

// The encoder whose last hidden state is `tokens`. Every node on the way is accounted for: attention, activation, mask
// and positions are computed and compared with those of a Program. kUnsupported, with the node and what was
// expected there, for a graph that is no such encoder.
Result<OnnxEncoder> FindOnnxEncoder(OnnxLayers* layers, OnnxValue tokens, const Family& family);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_ONNX_ENCODER_H_
