// The attention of a layer: its matrix products, its heads and its mask, fused into one operator or not.

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "base/error.h"
#include "convert/onnx_walk.h"

namespace thimble::convert {
namespace {

constexpr double kTolerance = 5e-4;  // Above what rounding a constant to 16 bits changes.

}  // namespace

Status OnnxWalk::Attention(const std::string& prefix, const Layer& layer) {
  const OnnxValue context = layer.context;
  const GraphNode* node = graph_.Producer(context);
  if (node != nullptr && node->Is("Attention") && node->proto->domain == "com.microsoft") {
    return FusedAttention(prefix, layer, *node);
  }
  if (node != nullptr && node->Is("MultiHeadAttention")) return MultiHeadAttention(prefix, layer, *node);
  const auto found = layers_.ProductsBehind(context, {layer.input});
  std::vector<OnnxLinear> linears;
  for (OnnxValue one : found.value_or(std::vector<OnnxValue>())) linears.push_back(*graph_.Linear(one));
  if (linears.size() != 3) {
    return graph_.Unsupported(context, "in ", prefix, " expected an attention of three matrix products, found ",
                              std::to_string(linears.size()));
  }
  for (const OnnxLinear& linear : linears) {
    THIMBLE_RETURN_IF_ERROR(CheckProjection(context, layer, linear));
  }
  if (names_.buckets != nullptr && !buckets_) {
    THIMBLE_ASSIGN_OR_RETURN(buckets_,
                             FindOnnxBuckets(&layers_, *names_.buckets, context, *found, states_, encoder_.hidden));
    encoder_.heads = buckets_->table.shape[1];
    encoder_.weights.push_back({std::string(names_.buckets->tensor) + ".weight", buckets_->table});
  }
  OnnxEvaluator evaluator = layers_.Evaluator();
  probe_.SetInputs(&evaluator);
  const auto hidden = static_cast<std::int64_t>(encoder_.hidden);
  const std::vector<std::int64_t> shape = {kTexts, kTokens, hidden};
  const auto any = std::make_shared<const OnnxArray>(OnnxLayers::Noise(shape, 1));
  for (OnnxValue state : states_) evaluator.Set(state, any);
  std::vector<OnnxArray> arrays;
  for (std::uint32_t i = 0; i < 3; ++i) {
    arrays.push_back(OnnxLayers::Noise(shape, 21 + i));
    evaluator.Set((*found)[i], arrays[i]);
  }
  const OnnxArray* result = evaluator.Evaluate(context);
  if (result == nullptr) {
    return graph_.Unsupported(evaluator.failed(), "in ", prefix, " as a part of attention: ", evaluator.failure());
  }
  if (result->shape != shape) return graph_.Unsupported(context, "in ", prefix, " an attention of another shape");
  for (std::uint64_t heads = encoder_.heads != 0 ? encoder_.heads : 1; heads <= encoder_.hidden; ++heads) {
    if (encoder_.hidden % heads != 0) continue;
    int order[] = {0, 1, 2};
    do {
      if (!SameAsAttention(arrays[order[0]], arrays[order[1]], arrays[order[2]], heads, *result)) continue;
      encoder_.heads = heads;
      for (std::size_t part = 0; part < 3; ++part) AddProjection(prefix, part, linears[order[part]]);
      return Status();
    } while (std::next_permutation(order, order + 3));
    if (encoder_.heads != 0) break;
  }
  return graph_.Unsupported(context, "in ", prefix,
                            " computes another attention than softmax(Q K^T / sqrt(head size) + mask",
                            buckets_ ? " + bias" : "", ") V");
}

Status OnnxWalk::CheckProjection(OnnxValue context, const Layer& layer, const OnnxLinear& linear) const {
  if (graph_.Core(linear.input) != layer.input || !linear.bias || linear.weight.shape[0] != encoder_.hidden) {
    return graph_.Unsupported(context, "expected queries, keys and values made from the layer's input, with biases");
  }
  return Status();
}

bool OnnxWalk::SameAsAttention(const OnnxArray& q, const OnnxArray& k, const OnnxArray& v, std::uint64_t heads,
                               const OnnxArray& result) const {
  const auto hidden = static_cast<std::size_t>(encoder_.hidden), size = hidden / static_cast<std::size_t>(heads);
  auto at = [&](std::int64_t text, std::int64_t token, std::size_t i) {
    return static_cast<std::size_t>(text * kTokens + token) * hidden + i;
  };
  for (std::int64_t text = 0; text < kTexts; ++text) {
    const std::int64_t length = probe_.length(text);
    for (std::int64_t row = 0; row < length; ++row) {
      for (std::size_t head = 0; head < hidden; head += size) {
        double scores[kTokens] = {}, sum = 0;
        for (std::int64_t j = 0; j < length; ++j) {
          for (std::size_t i = head; i < head + size; ++i)
            scores[j] += q.data[at(text, row, i)] * k.data[at(text, j, i)];
          scores[j] /= std::sqrt(static_cast<double>(size));
          if (buckets_) scores[j] += buckets_->values[names_.buckets->RowOf(j - row) * heads + head / size];
          scores[j] = std::exp(scores[j]);
          sum += scores[j];
        }
        for (std::size_t i = head; i < head + size; ++i) {
          double expected = 0;
          for (std::int64_t j = 0; j < length; ++j) expected += scores[j] / sum * v.data[at(text, j, i)];
          if (!(std::fabs(result.data[at(text, row, i)] - expected) <= kTolerance)) return false;
        }
      }
    }
  }
  return true;
}

Status OnnxWalk::CheckNoBuckets(OnnxValue context) const {
  if (names_.buckets == nullptr) return Status();
  return graph_.Unsupported(context,
                            "a bias of attention is not read from this operator; take the graph before it was ",
                            "optimised, or other weights");
}

Status OnnxWalk::SetHeads(OnnxValue context, const GraphNode& node) {
  const std::int64_t heads = node.Integer("num_heads", 0);
  if (heads <= 0 || encoder_.hidden % static_cast<std::uint64_t>(heads) != 0 ||
      (encoder_.heads != 0 && encoder_.heads != static_cast<std::uint64_t>(heads))) {
    return graph_.Unsupported(context, "an impossible number of heads: ", std::to_string(heads));
  }
  encoder_.heads = static_cast<std::uint64_t>(heads);
  const double usual = 1 / std::sqrt(static_cast<double>(encoder_.hidden) / static_cast<double>(heads));
  const double scale = node.Real("scale", 0);
  if (scale != 0 && !(std::fabs(scale - usual) <= kTolerance * usual)) {
    return graph_.Unsupported(context, "a scale other than 1 / sqrt(head size)");
  }
  if (node.Integer("unidirectional", 0) != 0 || node.Integer("do_rotary", 0) != 0) {
    return graph_.Unsupported(context, "unidirectional or rotary attention");
  }
  return Status();
}

Status OnnxWalk::CheckMask(OnnxValue context, OnnxValue mask) {
  if (mask == kNoValue && !probe_.masked()) return Status();
  const GraphNode* node = graph_.Producer(mask);
  if (node != nullptr && node->Is("EmbedLayerNormalization") && node->outputs.size() > 1 && node->outputs[1] == mask &&
      IsIntegerCopyOf(node->input(7), "attention_mask")) {
    return Status();
  }
  OnnxEvaluator evaluator = layers_.Evaluator();
  probe_.SetInputs(&evaluator);
  const OnnxArray* array = mask == kNoValue ? nullptr : evaluator.Evaluate(mask);
  if (array != nullptr && (array->size() == kTexts || array->shape == std::vector{kTexts, kTokens})) {
    const std::int64_t each = array->size() / kTexts;
    bool same = true;
    for (std::int64_t i = 0; i < array->size(); ++i) {
      const std::int64_t length = probe_.length(i / each);
      const std::int64_t expected = each == 1 ? length : i % kTokens < length ? 1 : 0;
      same &= array->data[static_cast<std::size_t>(i)] == static_cast<double>(expected);
    }
    if (same) return Status();
  }
  return graph_.Unsupported(context, "its mask is not attention_mask");
}

Status OnnxWalk::FusedAttention(const std::string& prefix, const Layer& layer, const GraphNode& node) {
  THIMBLE_RETURN_IF_ERROR(CheckNoBuckets(layer.context));
  THIMBLE_RETURN_IF_ERROR(SetHeads(layer.context, node));
  THIMBLE_RETURN_IF_ERROR(CheckMask(layer.context, node.input(3)));
  const auto& packed = node.input(1) == kNoValue ? std::optional<OnnxWeight>() : graph_.Constant(node.inputs[1]);
  const auto bias = graph_.Vector(node.input(2));
  for (std::size_t i = 4; i < node.inputs.size(); ++i) {
    if (node.inputs[i] != kNoValue) return graph_.Unsupported(layer.context, "a bias of positions, or a past");
  }
  const std::uint64_t hidden = encoder_.hidden;
  if (node.input(0) == kNoValue || graph_.Core(node.inputs[0]) != layer.input || !packed || !bias ||
      packed->quantization || packed->shape != std::vector{hidden, 3 * hidden} || bias->shape[0] != 3 * hidden ||
      node.Find("qkv_hidden_sizes") != nullptr) {
    return graph_.Unsupported(layer.context, "expected one matrix for queries, keys and values of the layer's input");
  }
  for (std::uint64_t i = 0; i < 3; ++i) {
    OnnxWeight weight = Transposed(*packed);
    weight.shape[0] = hidden;
    weight.offset += i * hidden * weight.strides[0];
    AddProjection(prefix, i, {layer.input, weight, PartOf(*bias, i)});
  }
  return Status();
}

OnnxWeight OnnxWalk::PartOf(OnnxWeight vector, std::uint64_t part) const {
  vector.shape[0] = encoder_.hidden;
  vector.offset += part * encoder_.hidden * vector.strides[0];
  return vector;
}

Status OnnxWalk::MultiHeadAttention(const std::string& prefix, const Layer& layer, const GraphNode& node) {
  THIMBLE_RETURN_IF_ERROR(CheckNoBuckets(layer.context));
  THIMBLE_RETURN_IF_ERROR(SetHeads(layer.context, node));
  THIMBLE_RETURN_IF_ERROR(CheckMask(layer.context, node.input(4)));
  for (std::size_t i = 5; i < node.inputs.size(); ++i) {
    if (node.inputs[i] != kNoValue) return graph_.Unsupported(layer.context, "a bias of positions, or a past");
  }
  const auto bias = graph_.Vector(node.input(3));
  if (bias && (bias->shape[0] != 3 * encoder_.hidden || bias->quantization)) {
    return graph_.Unsupported(layer.context, "a bias of another length");
  }
  for (std::size_t i = 0; i < 3; ++i) {
    auto linear = graph_.Linear(node.input(i));
    if (!linear || (linear->bias && bias)) return graph_.Unsupported(layer.context, "expected matrix products");
    if (bias) linear->bias = PartOf(*bias, i);
    THIMBLE_RETURN_IF_ERROR(CheckProjection(layer.context, layer, *linear));
    AddProjection(prefix, i, *linear);
  }
  return Status();
}

}  // namespace thimble::convert
