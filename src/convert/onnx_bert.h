// Finds the weights of a BERT encoder in an ONNX graph by what is done with them: exports do not keep their names.

#ifndef THIMBLE_CONVERT_ONNX_BERT_H_
#define THIMBLE_CONVERT_ONNX_BERT_H_

#include <string>
#include <vector>

#include "convert/onnx_file.h"
#include "thimble/status.h"

namespace thimble::convert {

struct NamedWeight {
  std::string name;         // As in a model.safetensors: "encoder.layer.0.output.dense.weight".
  std::size_t tensor = 0;   // Index in the file.
  bool transposed = false;  // Stored as [inputs, outputs].
};

// The weights of the graph of feature extraction, from input_ids to the last hidden state. kUnsupported, with the place
// and what was found there, for a graph that is no such encoder, is quantised, or has fused operators.
Result<std::vector<NamedWeight>> FindBertWeights(const OnnxFile& file);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_ONNX_BERT_H_
