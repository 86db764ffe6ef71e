// The walk from the vector of a text back to the vectors of its tokens, module by module.

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <utility>

#include "base/error.h"
#include "convert/config.h"
#include "convert/onnx_layers.h"

namespace thimble::convert {
namespace {

constexpr std::size_t kMaxModules = 16;
constexpr std::uint64_t kMaxWidth = 1 << 16;
constexpr double kEpsilon = 1e-5;    // The only one that a module has.
constexpr double kTolerance = 1e-3;  // Between numbers of about 1; of the same size where a graph has 16 bits.

class HeadWalk {
 public:
  HeadWalk(OnnxLayers* layers, OnnxValue tokens, std::uint64_t hidden)
      : layers_(*layers), graph_(layers->graph()), tokens_(graph_.Core(tokens)), hidden_(hidden) {}

  Result<OnnxHead> Run(OnnxValue sentence) {
    OnnxValue value = graph_.Core(sentence);
    while (value != tokens_) {
      if (modules_.size() == kMaxModules) return graph_.Unsupported(value, "a head of too many modules");
      Module module;
      THIMBLE_ASSIGN_OR_RETURN(const OnnxValue input, Match(value, &module));
      if (input == kNoValue) break;
      modules_.push_back(std::move(module));
      value = graph_.Core(input);
    }
    OnnxHead head;
    THIMBLE_ASSIGN_OR_RETURN(head.spec.pooling, Pooling(value));
    std::size_t width = head.spec.pooling.size() * hidden_;
    std::reverse(modules_.begin(), modules_.end());
    for (Module& one : modules_) {
      model::HeadModule& module = one.spec;
      if (module.kind == model::HeadModule::Kind::kNormalize) module.inputs = module.outputs = width;
      if (module.inputs != width) {
        return graph_.Unsupported(one.value, "takes ", std::to_string(module.inputs), " components, and is given ",
                                  std::to_string(width));
      }
      width = module.outputs;
      const std::string prefix = "head." + std::to_string(head.spec.modules.size()) + ".";
      for (NamedOnnxWeight& weight : one.weights)
        head.weights.push_back({prefix + weight.name, std::move(weight.weight)});
      head.spec.modules.push_back(module);
    }
    return head;
  }

 private:
  struct Module {
    OnnxValue value = kNoValue;
    model::HeadModule spec;
    std::vector<NamedOnnxWeight> weights;
  };

  // What the last module on the way to `value` is and takes; kNoValue where there is none, and `value` is pooled.
  Result<OnnxValue> Match(OnnxValue value, Module* module) {
    module->value = value;
    if (const OnnxNorm* norm = layers_.Norm(value)) return LayerNorm(value, *norm, module);
    const OnnxValue unscaled = Normalized(value);
    if (unscaled != kNoValue) {
      module->spec.kind = model::HeadModule::Kind::kNormalize;
      return unscaled;
    }
    const auto products = layers_.ProductsBehind(value, {tokens_});
    if (!products) return graph_.Unsupported(value, "the way to the last hidden state is too long");
    if (products->empty()) return kNoValue;
    return Dense(value, module);
  }

  Result<OnnxValue> LayerNorm(OnnxValue value, const OnnxNorm& norm, Module* module) {
    if (norm.terms.size() != 1 || norm.term_bias) return graph_.Unsupported(value, "the layer norm of a sum");
    if (norm.epsilon && std::fabs(*norm.epsilon - kEpsilon) > 1e-3 * kEpsilon) {
      return graph_.Unsupported(value, "a layer norm with another epsilon than 1e-5");
    }
    module->spec.kind = model::HeadModule::Kind::kLayerNorm;
    module->spec.inputs = module->spec.outputs = norm.scale.shape[0];
    module->weights = {{"norm.weight", norm.scale}, {"norm.bias", norm.bias}};
    return norm.terms[0];
  }

  // What `value` is at unit length; kNoValue where it is something else.
  OnnxValue Normalized(OnnxValue value) {
    const GraphNode* node = graph_.Producer(value);
    if (node == nullptr || node->input(0) == kNoValue) return kNoValue;
    if (!node->Is("Div") && !node->Is("LpNormalization")) return kNoValue;
    const OnnxValue x = graph_.Core(node->inputs[0]);
    const std::uint64_t width = Width(x, 0);
    if (width == 0 || width > kMaxWidth) return kNoValue;
    const OnnxArray array = OnnxLayers::Noise({OnnxProbe::kTexts, static_cast<std::int64_t>(width)}, 31);
    OnnxEvaluator evaluator = layers_.Evaluator();
    evaluator.Set(x, array);
    const OnnxArray* result = evaluator.Evaluate(value);
    if (result == nullptr || result->shape != array.shape) return kNoValue;
    for (std::size_t row = 0; row < array.data.size(); row += width) {
      double square = 0;
      for (std::size_t i = row; i < row + width; ++i) square += array.data[i] * array.data[i];
      for (std::size_t i = row; i < row + width; ++i) {
        if (!(std::fabs(result->data[i] - array.data[i] / std::sqrt(square)) <= kTolerance)) return kNoValue;
      }
    }
    return x;
  }

  // The number of components of a text's vector: of the last product or norm, else of what is pooled.
  std::uint64_t Width(OnnxValue value, int depth) {
    if (value == kNoValue || depth > 8) return hidden_;
    value = graph_.Core(value);
    if (const auto linear = graph_.Linear(value)) return linear->weight.shape[0];
    if (const OnnxNorm* norm = layers_.Norm(value)) return norm->scale.shape[0];
    const GraphNode* node = graph_.Producer(value);
    if (node == nullptr) return hidden_;
    for (const char* op :
         {"Div", "Mul", "Add", "Tanh", "Relu", "Sigmoid", "Gelu", "LpNormalization", "BiasGelu", "FastGelu"}) {
      if (node->Is(op)) return Width(node->input(0), depth + 1);
    }
    if (!node->Is("Concat")) return hidden_;
    std::uint64_t width = 0;
    for (std::size_t i = 0; i < node->inputs.size() && i < 16; ++i) width += Width(node->inputs[i], depth + 8);
    return width;
  }

  // activation(W x + b), plus x or R x.
  Result<OnnxValue> Dense(OnnxValue value, Module* module) {
    OnnxValue activated = value;
    std::optional<OnnxWeight> residual;
    bool plain = false;
    const GraphNode* add = graph_.Producer(value, "Add");
    if (add != nullptr && !graph_.Linear(value) && add->inputs.size() == 2) {
      for (std::size_t side = 0; side < 2 && !residual && !plain; ++side) {
        const auto first = layers_.Activated(add->inputs[side]);
        if (!first.ok()) continue;
        const OnnxValue input = graph_.Core(first->linear.input);
        const auto second = graph_.Linear(add->inputs[1 - side]);
        plain = graph_.Core(add->inputs[1 - side]) == input;
        // Two products of the same input: the one without a bias is the residual.
        if (second && !second->bias && graph_.Core(second->input) == input) residual = second->weight;
        if (plain || residual) activated = add->inputs[side];
      }
    }
    THIMBLE_ASSIGN_OR_RETURN(OnnxActivated found, layers_.Activated(activated));
    model::HeadModule& spec = module->spec;
    spec.kind = model::HeadModule::Kind::kDense;
    THIMBLE_ASSIGN_OR_RETURN(spec.activation, Activation(value, found.activation));
    spec.outputs = found.linear.weight.shape[0];
    spec.inputs = found.linear.weight.shape[1];
    spec.bias = found.linear.bias.has_value();
    spec.residual = plain || residual.has_value();
    module->weights.push_back({"linear.weight", found.linear.weight});
    if (spec.bias) module->weights.push_back({"linear.bias", *found.linear.bias});
    // Between equal lengths a residual has no matrix.
    if (residual && spec.inputs == spec.outputs) return graph_.Unsupported(value, "a residual with a square matrix");
    if (residual && residual->shape != found.linear.weight.shape) {
      return graph_.Unsupported(value, "a residual of another shape");
    }
    if (residual) module->weights.push_back({"residual.weight", *residual});
    return found.linear.input;
  }

  Result<std::optional<kernels::Activation>> Activation(OnnxValue value, const std::string& name) const {
    using enum kernels::Activation;
    const std::optional<kernels::Activation> known = HiddenActivation(name);
    if (name == "linear" || (known && *known != kGeluTanh && *known != kQuickGelu)) return known;
    return graph_.Unsupported(value, "the activation ", name, " in a head");
  }

  // How the vectors of the tokens become `value`, by the numbers.
  Result<std::vector<thimble::Pooling>> Pooling(OnnxValue value) {
    const OnnxProbe probe(graph_);
    OnnxEvaluator evaluator = layers_.Evaluator();
    probe.SetInputs(&evaluator);
    const auto hidden = static_cast<std::int64_t>(hidden_);
    const OnnxArray tokens = OnnxLayers::Noise({OnnxProbe::kTexts, OnnxProbe::kTokens, hidden}, 41);
    evaluator.Set(tokens_, tokens);
    const OnnxArray* result = evaluator.Evaluate(value);
    if (result == nullptr) return graph_.Unsupported(evaluator.failed(), "as a part of pooling: ", evaluator.failure());
    if (result->shape.size() != 2 || result->shape[0] != OnnxProbe::kTexts || result->shape[1] == 0 ||
        result->shape[1] % hidden != 0) {
      return graph_.Unsupported(value, "expected one vector for each text");
    }
    std::vector<thimble::Pooling> pooling;
    for (std::int64_t first = 0; first < result->shape[1]; first += hidden) {
      using enum thimble::Pooling;
      const auto before = pooling.size();
      for (thimble::Pooling one : {kMean, kCls, kLast, kMax, kMeanSqrtLen, kWeightedMean}) {
        if (pooling.size() == before && IsPooled(probe, one, tokens, *result, first)) pooling.push_back(one);
      }
      if (pooling.size() == before) {
        return graph_.Unsupported(value,
                                  "the pooling is none of mean, cls, last, max, mean_sqrt_len_tokens and "
                                  "weightedmean over attention_mask");
      }
    }
    return pooling;
  }

  // What a way of pooling makes of one component of a text's tokens.
  static double Pooled(thimble::Pooling pooling, std::span<const double> tokens) {
    const auto count = static_cast<double>(tokens.size());
    double sum = 0, weighted = 0;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      sum += tokens[i];
      weighted += tokens[i] * static_cast<double>(i + 1);
    }
    switch (pooling) {
      case thimble::Pooling::kMean:
        return sum / count;
      case thimble::Pooling::kCls:
        return tokens.front();
      case thimble::Pooling::kLast:
        return tokens.back();
      case thimble::Pooling::kMax:
        return *std::max_element(tokens.begin(), tokens.end());
      case thimble::Pooling::kMeanSqrtLen:
        return sum / std::sqrt(count);
      case thimble::Pooling::kWeightedMean:
        return weighted / (count * (count + 1) / 2);
    }
    return 0;
  }

  bool IsPooled(const OnnxProbe& probe, thimble::Pooling pooling, const OnnxArray& tokens, const OnnxArray& result,
                std::int64_t first) const {
    const auto hidden = static_cast<std::int64_t>(hidden_);
    for (std::int64_t text = 0; text < OnnxProbe::kTexts; ++text) {
      for (std::int64_t i = 0; i < hidden; ++i) {
        std::vector<double> column;
        for (std::int64_t j = 0; j < probe.length(text); ++j) {
          column.push_back(tokens.data[static_cast<std::size_t>((text * OnnxProbe::kTokens + j) * hidden + i)]);
        }
        const double found = result.data[static_cast<std::size_t>(text * result.shape[1] + first + i)];
        if (!(std::fabs(found - Pooled(pooling, column)) <= kTolerance)) return false;
      }
    }
    return true;
  }

  OnnxLayers& layers_;
  const OnnxGraph& graph_;
  const OnnxValue tokens_;
  const std::uint64_t hidden_;
  std::vector<Module> modules_;  // The last one first.
};

}  // namespace

Result<OnnxHead> FindHead(OnnxLayers* layers, OnnxValue tokens, std::uint64_t hidden, OnnxValue sentence) {
  return HeadWalk(layers, tokens, hidden).Run(sentence);
}

}  // namespace thimble::convert
