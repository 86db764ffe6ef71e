// The layers that an encoder and a head have in common, found in an ONNX graph: layer norms, sums and activations.

#ifndef THIMBLE_CONVERT_ONNX_LAYERS_H_
#define THIMBLE_CONVERT_ONNX_LAYERS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "convert/onnx_eval.h"
#include "convert/onnx_graph.h"

namespace thimble::convert {

// A weight under the name that model.safetensors has for it.
struct NamedOnnxWeight {
  std::string name;
  OnnxWeight weight;
};

// (x - mean) / sqrt(variance + epsilon) * scale + bias, x being the sum of `terms` and `term_bias`.
struct OnnxNorm {
  std::vector<OnnxValue> terms;
  std::optional<OnnxWeight> term_bias;
  OnnxWeight scale, bias;
  std::optional<double> epsilon;  // Unless it is kept in 16 bits, where small ones are lost.
};

// The parts of a sum, whatever their order.
struct OnnxSum {
  std::vector<OnnxLinear> products;
  std::vector<OnnxWeight> vectors;
  std::vector<OnnxValue> others;
};

// activation(linear), the activation by its name in config.json; "linear" for none.
struct OnnxActivated {
  OnnxLinear linear;
  std::string activation;
};

// Thread-compatible.
class OnnxLayers {
 public:
  explicit OnnxLayers(const OnnxGraph& graph) : graph_(graph) {}

  const OnnxGraph& graph() const { return graph_; }
  OnnxEvaluator Evaluator() { return OnnxEvaluator(graph_, &work_); }

  // nullptr where the value is made by something else.
  const OnnxNorm* Norm(OnnxValue value);

  // The parts that the values are the sum of.
  OnnxSum Sum(const std::vector<OnnxValue>& values);

  // kUnsupported where the value is not an activation of one product.
  Result<OnnxActivated> Activated(OnnxValue value);

  // The values with a product that `value` rests on, and no other product between; what only gives a shape is not
  // followed, nor what is behind one of `ends`. nullopt when that is more than a layer.
  std::optional<std::vector<OnnxValue>> ProductsBehind(OnnxValue value, const std::vector<OnnxValue>& ends);

  // Numbers between -1 and 1, the same in every run.
  static OnnxArray Noise(std::vector<std::int64_t> shape, std::uint32_t seed);

 private:
  std::optional<OnnxNorm> FindNorm(OnnxValue value);
  std::optional<OnnxNorm> NormOfParts(OnnxValue value);

  const OnnxGraph& graph_;
  std::int64_t work_ = std::int64_t{1} << 28;  // Some fifty times what a graph of 24 layers of 1024 takes.
  std::unordered_map<OnnxValue, std::optional<OnnxNorm>> norms_;
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_ONNX_LAYERS_H_
