// From the last hidden state of a graph through its layers.

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "convert/onnx_walk.h"

namespace thimble::convert {
namespace {

constexpr std::size_t kMaxLayers = 256;

}  // namespace

Result<OnnxEncoder> OnnxWalk::Run(OnnxValue tokens) {
  std::vector<Layer> found;
  OnnxValue value = graph_.Core(tokens);
  while (true) {
    const OnnxNorm* norm = layers_.Norm(value);
    if (norm == nullptr) {
      THIMBLE_ASSIGN_OR_RETURN(const bool embeddings, FusedEmbeddings(value));
      if (embeddings) break;
      return graph_.Unsupported(value, "expected a layer norm");
    }
    OnnxSum sum = layers_.Sum(norm->terms);
    if (norm->term_bias) sum.vectors.push_back(*norm->term_bias);
    if (sum.products.empty()) {
      THIMBLE_RETURN_IF_ERROR(Embeddings(value, sum));
      THIMBLE_RETURN_IF_ERROR(AddNorm(std::string(names_.embedding_norm), value, *norm, &encoder_.weights));
      states_.push_back(value);
      states_.insert(states_.end(), norm->terms.begin(), norm->terms.end());
      break;
    }
    if (found.size() == kMaxLayers)
      return graph_.Unsupported(value, "more than ", std::to_string(kMaxLayers), " layers");
    Layer layer;
    THIMBLE_RETURN_IF_ERROR(FeedForward(value, *norm, sum, &layer));
    states_.insert(states_.end(), layer.states.begin(), layer.states.end());
    value = layer.input;
    found.push_back(std::move(layer));
  }
  if (found.empty()) return graph_.Unsupported(tokens, "no layers");
  std::reverse(found.begin(), found.end());
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::string prefix = names_.PrefixOf(i);
    THIMBLE_RETURN_IF_ERROR(Attention(prefix, found[i]));
    for (NamedOnnxWeight& one : found[i].weights) {
      encoder_.weights.push_back({prefix + one.name, std::move(one.weight)});
    }
  }
  return std::move(encoder_);
}

Status OnnxWalk::AddNorm(const std::string& name, OnnxValue value, const OnnxNorm& norm,
                         std::vector<NamedOnnxWeight>* weights) {
  if (norm.epsilon && encoder_.epsilon && std::fabs(*norm.epsilon - *encoder_.epsilon) > 1e-3 * *encoder_.epsilon) {
    return graph_.Unsupported(value, "layer norms with different epsilons");
  }
  if (norm.epsilon) encoder_.epsilon = norm.epsilon;
  weights->push_back({name + ".weight", norm.scale});
  weights->push_back({name + ".bias", norm.bias});
  return Status();
}

Result<OnnxLinear> OnnxWalk::Residual(OnnxValue value, const OnnxSum& sum, OnnxValue* residual) {
  if (sum.products.size() != 1 || sum.others.size() != 1) {
    std::string others;
    for (OnnxValue one : sum.others) others += (others.empty() ? "" : ", ") + graph_.Describe(one);
    return graph_.Unsupported(value, "expected the norm of a matrix product and a residual, found ",
                              std::to_string(sum.products.size()), " products, and ", others);
  }
  OnnxLinear linear = sum.products[0];
  if (sum.vectors.size() + (linear.bias ? 1 : 0) != 1) {
    return graph_.Unsupported(value, "expected one bias, found ",
                              std::to_string(sum.vectors.size() + (linear.bias ? 1 : 0)));
  }
  if (!linear.bias) linear.bias = sum.vectors[0];
  *residual = sum.others[0];
  return linear;
}

void OnnxWalk::AddLinear(const std::string& name, const OnnxLinear& linear, std::vector<NamedOnnxWeight>* weights) {
  weights->push_back({name + ".weight", linear.weight});
  weights->push_back({name + ".bias", *linear.bias});
}

void OnnxWalk::AddProjection(const std::string& prefix, std::size_t part, const OnnxLinear& linear) {
  AddLinear(prefix + names_.TensorOf("qkv", part), linear, &encoder_.weights);
}

Status OnnxWalk::FeedForward(OnnxValue value, const OnnxNorm& output_norm, const OnnxSum& output_sum, Layer* layer) {
  OnnxValue middle = kNoValue;
  THIMBLE_ASSIGN_OR_RETURN(OnnxLinear output, Residual(value, output_sum, &middle));
  THIMBLE_ASSIGN_OR_RETURN(OnnxActivated inner, layers_.Activated(output.input));
  if (!inner.linear.bias) return graph_.Unsupported(output.input, "the feed-forward matrix has no bias");
  if (graph_.Core(inner.linear.input) != middle) {
    return graph_.Unsupported(value, "the residual is not what the feed-forward matrix takes");
  }
  if (!encoder_.activation.empty() && encoder_.activation != inner.activation) {
    return graph_.Unsupported(value, "layers with different activations");
  }
  encoder_.activation = inner.activation;
  AddLinear(names_.TensorOf("ffn_in"), inner.linear, &layer->weights);
  AddLinear(names_.TensorOf("ffn_out"), output, &layer->weights);
  THIMBLE_RETURN_IF_ERROR(AddNorm(names_.TensorOf("ffn_norm"), value, output_norm, &layer->weights));

  const OnnxNorm* norm = layers_.Norm(middle);
  if (norm == nullptr) return graph_.Unsupported(middle, "expected the layer norm of an attention");
  OnnxSum sum = layers_.Sum(norm->terms);
  if (norm->term_bias) sum.vectors.push_back(*norm->term_bias);
  THIMBLE_ASSIGN_OR_RETURN(const OnnxLinear dense, Residual(middle, sum, &layer->input));
  AddLinear(names_.TensorOf("attention_output"), dense, &layer->weights);
  THIMBLE_RETURN_IF_ERROR(AddNorm(names_.TensorOf("attention_norm"), middle, *norm, &layer->weights));
  layer->context = graph_.Core(dense.input);
  layer->states = {value, middle, layer->input};
  for (const OnnxNorm* one : {&output_norm, norm}) {
    layer->states.insert(layer->states.end(), one->terms.begin(), one->terms.end());
  }
  return Status();
}

Result<OnnxEncoder> FindOnnxEncoder(OnnxLayers* layers, OnnxValue tokens, const OnnxFamily& family) {
  return OnnxWalk(layers, family).Run(tokens);
}

}  // namespace thimble::convert
