// The weights of an encoder in an ONNX file, and what else its graph states about the model.

#ifndef THIMBLE_CONVERT_ONNX_WEIGHTS_H_
#define THIMBLE_CONVERT_ONNX_WEIGHTS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "convert/names/family.h"
#include "convert/weight_file.h"
#include "model/head.h"
#include "thimble/status.h"

namespace thimble::convert {

struct OnnxModel {
  // Under the names of a model.safetensors of the family without a prefix, those of the head as "head.I.linear.weight",
  // "head.I.linear.bias", "head.I.residual.weight", "head.I.norm.weight" and "head.I.norm.bias", I the index of the
  // module. Quantised weights are read as the numbers that they stand for. The table of token types has one row where
  // the graph has but that of type 0.
  std::unique_ptr<WeightFile> weights;
  std::optional<model::HeadSpec> head;  // Of the output sentence_embedding, where the graph has one.
  std::vector<std::string> data_files;  // Paths of external data.
  std::string note;                     // A sentence for the user about quantised weights, or empty.
  // What config.json has to agree with.
  std::string activation;  // "gelu", "gelu_new", "relu", "silu" or "quick_gelu".
  std::uint64_t heads = 0;
  std::optional<double> epsilon;  // Of the layer norms; nullopt where 16 bits are too few for it.
};

// kNotFound, kIo; kCorrupt for what is no ONNX file, or one whose data are not there; kInvalidArgument for data outside
// the folder of the file; kUnsupported, with the node and what was expected there, for a graph that computes anything
// but such an encoder and a head that HeadSpec has.
Result<OnnxModel> OpenOnnx(const std::string& path, const Family& family);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_ONNX_WEIGHTS_H_
