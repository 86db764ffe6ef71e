// Finds what an ONNX graph computes by what is done with its weights, whose names exports do not keep: the layers that
// an encoder and a head have in common, that is layer norms, sums and activations; the encoder; and the head.

#ifndef THIMBLE_CONVERT_ONNX_LAYERS_H_
#define THIMBLE_CONVERT_ONNX_LAYERS_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "convert/names/family.h"
#include "convert/onnx_eval.h"
#include "convert/onnx_graph.h"
#include "model/head.h"
#include "thimble/status.h"

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

// The two texts that a graph is tried with, the second one padded.
class OnnxProbe {
 public:
  static constexpr std::int64_t kTexts = 2, kTokens = 4;

  explicit OnnxProbe(const OnnxGraph& graph, std::optional<std::int32_t> pad_id = {})
      : graph_(graph), masked_(graph.IsInput(graph.Find("attention_mask"))), pad_id_(pad_id) {}

  // The id of a token: pad tokens at the end of the second text, and inside the first; the others alike.
  std::int32_t id(std::int64_t text, std::int64_t token) const {
    const std::int32_t other = pad_id_ == 0 ? 1 : 0;
    return pad_id_ && (token >= length(text) || (text == 0 && token == kTokens - 2)) ? *pad_id_ : other;
  }

  // Sets those inputs that the graph has: ids, a mask, types of 0, and positions.
  void SetInputs(OnnxEvaluator* evaluator) const {
    OnnxArray ids{{kTexts, kTokens}, {}, true}, mask = ids, positions = ids, types = ids;
    for (std::int64_t text = 0; text < kTexts; ++text) {
      for (std::int64_t i = 0; i < kTokens; ++i) {
        ids.data.push_back(id(text, i));
        types.data.push_back(0);
        mask.data.push_back(i < length(text) ? 1 : 0);
        positions.data.push_back(static_cast<double>(i));
      }
    }
    const std::pair<const char*, const OnnxArray*> inputs[] = {
        {"input_ids", &ids}, {"token_type_ids", &types}, {"attention_mask", &mask}, {"position_ids", &positions}};
    for (const auto& [name, array] : inputs) {
      const OnnxValue value = graph_.Find(name);
      if (graph_.IsInput(value)) evaluator->Set(value, *array);
    }
  }

  // Whether the graph is told which tokens are padding; otherwise none are.
  bool masked() const { return masked_; }
  // Tokens of a text that count.
  std::int64_t length(std::int64_t text) const { return masked_ && text == 1 ? 2 : kTokens; }

 private:
  const OnnxGraph& graph_;
  const bool masked_;
  const std::optional<std::int32_t> pad_id_;
};

// What a graph is to be an encoder of; the pad token's id as in model::Architecture.
struct OnnxFamily {
  const Family& names;
  std::optional<std::int32_t> pad_id = {};
};

// A table of biases by bucket, and its numbers, [rows][heads].
struct OnnxBuckets {
  OnnxWeight table;
  std::vector<float> values;
};

// The table of a family's buckets that the attention `context` takes its biases from; `ends` are its queries, keys and
// values, and `states` values of [texts][tokens][hidden]. kUnsupported, with the node, where there is none or its rows
// are picked in another way.
Result<OnnxBuckets> FindOnnxBuckets(OnnxLayers* layers, const DistanceBuckets& buckets, OnnxValue context,
                                    const std::vector<OnnxValue>& ends, const std::vector<OnnxValue>& states,
                                    std::uint64_t hidden);

// What a graph computes from input_ids to the last hidden state.
struct OnnxEncoder {
  std::vector<NamedOnnxWeight> weights;  // As in a model.safetensors of the family.
  std::uint64_t hidden = 0;
  std::uint64_t heads = 0;
  std::string activation;         // By its name in config.json.
  std::optional<double> epsilon;  // Of the layer norms, unless it is kept in 16 bits.
  bool takes_types = false;       // Whether it picks token types by its input token_type_ids.
};

// The encoder whose last hidden state is `tokens`. Every node on the way is accounted for: attention, activation, mask
// and positions are computed and compared with those of a Program. kUnsupported, with the node and what was
// expected there, for a graph that is no such encoder.
Result<OnnxEncoder> FindOnnxEncoder(OnnxLayers* layers, OnnxValue tokens, const OnnxFamily& family);

struct OnnxHead {
  model::HeadSpec spec;
  std::vector<NamedOnnxWeight> weights;  // "head.I.linear.weight" and so on, I the index of the module.
};

// The head from `tokens`, the last hidden state of `hidden` components, to `sentence`. kUnsupported, with the node, for
// whatever is not one of the modules that HeadSpec has.
Result<OnnxHead> FindHead(OnnxLayers* layers, OnnxValue tokens, std::uint64_t hidden, OnnxValue sentence);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_ONNX_LAYERS_H_
