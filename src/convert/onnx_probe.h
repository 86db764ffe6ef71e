// The two texts that an ONNX graph is tried with, the second one padded.

#ifndef THIMBLE_CONVERT_ONNX_PROBE_H_
#define THIMBLE_CONVERT_ONNX_PROBE_H_

#include <cstdint>

#include "convert/onnx_eval.h"
#include "convert/onnx_graph.h"

namespace thimble::convert {

class OnnxProbe {
 public:
  static constexpr std::int64_t kTexts = 2, kTokens = 4;

  explicit OnnxProbe(const OnnxGraph& graph) : graph_(graph), masked_(graph.IsInput(graph.Find("attention_mask"))) {}

  // Sets those inputs that the graph has: ids of 0, a mask, types of 0, and positions.
  void SetInputs(OnnxEvaluator* evaluator) const {
    OnnxArray ids{{kTexts, kTokens}, {}, true}, mask = ids, positions = ids;
    for (std::int64_t text = 0; text < kTexts; ++text) {
      for (std::int64_t i = 0; i < kTokens; ++i) {
        ids.data.push_back(0);
        mask.data.push_back(i < length(text) ? 1 : 0);
        positions.data.push_back(static_cast<double>(i));
      }
    }
    const std::pair<const char*, const OnnxArray*> inputs[] = {
        {"input_ids", &ids}, {"token_type_ids", &ids}, {"attention_mask", &mask}, {"position_ids", &positions}};
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
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_ONNX_PROBE_H_
