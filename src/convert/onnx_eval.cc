// Evaluation of the nodes that a value rests on, in the order of the graph.

#include "convert/onnx_eval.h"

#include <algorithm>
#include <set>
#include <utility>

namespace thimble::convert {
namespace {

constexpr std::int64_t kMaxHeld = 1 << 23;  // Thirty masks of 512 by 512 tokens, 64 MB.

}  // namespace

bool OnnxEvaluator::Constant(OnnxValue value) {
  const std::optional<OnnxWeight>& weight = graph_.Constant(value);
  if (!weight || !graph_.data().Load(*weight).ok()) return false;
  const OnnxTensor& tensor = graph_.data().file().tensors()[weight->tensor];
  std::int64_t elements = 1;
  OnnxArray array;
  for (std::uint64_t size : weight->shape) {
    if (size > static_cast<std::uint64_t>(kMaxArrayElements)) return false;
    array.shape.push_back(static_cast<std::int64_t>(size));
    elements *= array.shape.back();
    if (elements > kMaxArrayElements) return false;
  }
  if ((work_ -= elements) < 0) return false;
  array.data.resize(static_cast<std::size_t>(elements));
  array.integers = !weight->quantization && !IsFloat(tensor.type);
  if (graph_.ConstantTensor(value)) {
    for (std::size_t i = 0; i < array.data.size(); ++i) array.data[i] = graph_.data().At(weight->tensor, i);
  } else {
    if (weight->shape.empty() || weight->shape.size() > 2) return false;
    std::vector<float> floats(array.data.size());
    graph_.data().Read(*weight, 0, floats);
    std::copy(floats.begin(), floats.end(), array.data.begin());
  }
  Set(value, std::move(array));
  return true;
}

const OnnxArray* OnnxEvaluator::Evaluate(OnnxValue value) {
  if (value == kNoValue) return nullptr;
  // The nodes that are needed, from the last one back: one that is taken out of the set has all its takers behind it.
  std::set<int> needed;
  std::vector<int> order;
  auto fail = [&](OnnxValue at, const char* why) -> const OnnxArray* {
    failed_ = at;
    failure_ = why;
    return nullptr;
  };
  std::int64_t held = 0;
  auto hold = [&](OnnxValue one) {
    const auto found = known_.find(one);
    return found == known_.end() || (held += found->second->size()) <= kMaxHeld;
  };
  auto need = [&](OnnxValue one) {
    if (one == kNoValue || known_.contains(one)) return true;
    if (graph_.Constant(one)) return Constant(one) && hold(one);
    const int node = graph_.ProducerIndex(one);
    if (node < 0) return false;
    needed.insert(node);
    return true;
  };
  if (!need(value)) return fail(value, "not known here");
  while (!needed.empty()) {
    const int index = *needed.rbegin();
    needed.erase(std::prev(needed.end()));
    order.push_back(index);
    if (--work_ < 0) return fail(value, "needs too much to be computed");
    for (OnnxValue input : graph_.nodes()[static_cast<std::size_t>(index)].inputs) {
      if (!need(input)) return fail(input, "not known here");
    }
  }
  for (std::size_t i = order.size(); i-- > 0;) {
    const GraphNode& node = graph_.nodes()[static_cast<std::size_t>(order[i])];
    if (!Run(node) || !std::all_of(node.outputs.begin(), node.outputs.end(), hold)) {
      return fail(node.outputs.empty() ? value : node.outputs[0], "not understood in this place");
    }
  }
  const auto found = known_.find(value);
  return found == known_.end() ? fail(value, "not understood in this place") : found->second.get();
}

bool OnnxEvaluator::Run(const GraphNode& node) {
  std::vector<const OnnxArray*> inputs;
  for (OnnxValue input : node.inputs) {
    const auto found = known_.find(input);
    if (input != kNoValue && found == known_.end()) return false;
    inputs.push_back(input == kNoValue ? nullptr : found->second.get());
  }
  auto outputs = OnnxOperation(graph_, node, inputs, &work_).Run();
  if (!outputs) return false;
  for (std::size_t i = 0; i < outputs->size() && i < node.outputs.size(); ++i) {
    if (node.outputs[i] != kNoValue) Set(node.outputs[i], std::move((*outputs)[i]));
  }
  return true;
}

}  // namespace thimble::convert
