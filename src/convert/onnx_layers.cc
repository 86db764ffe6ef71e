// Norms and activations are told by the numbers that they give, sums and products by their nodes.

#include "convert/onnx_layers.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <set>

#include "base/error.h"

namespace thimble::convert {
namespace {

constexpr std::size_t kMaxTerms = 16, kMaxCone = 400;
constexpr std::int64_t kPoints = 512;         // At which activations are compared.
constexpr std::uint64_t kMaxWidth = 1 << 16;  // Of a hidden state that is probed.

struct NamedFunction {
  const char* name;
  double (*function)(double);
};
constexpr NamedFunction kFunctions[] = {
    {"linear", [](double x) { return x; }},
    {"gelu", [](double x) { return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0))); }},
    {"gelu_new",
     [](double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x))); }},
    {"relu", [](double x) { return std::max(x, 0.0); }},
    {"silu", [](double x) { return x / (1 + std::exp(-x)); }},
    {"quick_gelu", [](double x) { return x / (1 + std::exp(-1.702 * x)); }},
    {"tanh", [](double x) { return std::tanh(x); }},
};
// Half of the largest difference between gelu and gelu_new, and far more than rounding to 16 bits changes.
constexpr double kActivationTolerance = 2e-4;

}  // namespace

OnnxArray OnnxLayers::Noise(std::vector<std::int64_t> shape, std::uint32_t seed) {
  OnnxArray array;
  std::size_t elements = 1;
  for (std::int64_t size : shape) elements *= static_cast<std::size_t>(size);
  array.shape = std::move(shape);
  std::minstd_rand random(seed);
  for (std::size_t i = 0; i < elements; ++i) {
    array.data.push_back(static_cast<double>(random() - 1) / static_cast<double>(std::minstd_rand::modulus - 2) * 2 -
                         1);
  }
  return array;
}

const OnnxNorm* OnnxLayers::Norm(OnnxValue value) {
  if (value == kNoValue) return nullptr;
  value = graph_.Core(value);
  auto found = norms_.find(value);
  if (found == norms_.end()) found = norms_.emplace(value, FindNorm(value)).first;
  return found->second ? &*found->second : nullptr;
}

std::optional<OnnxNorm> OnnxLayers::FindNorm(OnnxValue value) {
  const GraphNode* node = graph_.Producer(value);
  if (node == nullptr || node->outputs[0] != value) return std::nullopt;
  const bool plain = node->Is("LayerNormalization"), skip = node->Is("SkipLayerNormalization");
  if (!plain && !skip) return NormOfParts(value);
  const std::size_t first = skip ? 2 : 1;  // Behind the terms.
  const auto scale = graph_.Vector(node->input(first)), bias = graph_.Vector(node->input(first + 1));
  // Behind [batch][tokens], or [batch] alone.
  const std::int64_t axis = node->Integer("axis", -1);
  if (!scale || !bias || node->input(0) == kNoValue || axis < -1 || axis == 0 || axis > 2) return std::nullopt;
  OnnxNorm norm{{node->inputs[0]}, {}, *scale, *bias, node->Real("epsilon", skip ? 1e-12f : 1e-5f)};
  if (skip) {
    if (node->input(1) == kNoValue) return std::nullopt;
    norm.terms.push_back(node->inputs[1]);
    if (node->input(4) != kNoValue && !(norm.term_bias = graph_.Vector(node->inputs[4]))) return std::nullopt;
  }
  return norm;
}

// What exporters wrote before there was an operator.
std::optional<OnnxNorm> OnnxLayers::NormOfParts(OnnxValue value) {
  auto split = [&](OnnxValue of, const char* op) -> std::optional<std::pair<OnnxWeight, OnnxValue>> {
    const GraphNode* node = graph_.Producer(of, op);
    if (node == nullptr || node->inputs.size() != 2) return std::nullopt;
    for (std::size_t side = 0; side < 2; ++side) {
      if (auto vector = graph_.Vector(node->inputs[side]))
        return std::pair(*vector, graph_.Core(node->inputs[1 - side]));
    }
    return std::nullopt;
  };
  const auto bias = split(value, "Add");
  const auto scale = bias ? split(bias->second, "Mul") : std::nullopt;
  if (!scale || scale->first.shape != bias->first.shape || scale->first.shape[0] > kMaxWidth) return std::nullopt;
  const GraphNode* quotient = graph_.Producer(scale->second);
  if (quotient == nullptr || (!quotient->Is("Div") && !quotient->Is("Mul"))) return std::nullopt;
  const GraphNode* difference = nullptr;
  for (OnnxValue input : quotient->inputs) {
    if (difference == nullptr) difference = graph_.Producer(input, "Sub");
  }
  if (difference == nullptr || difference->input(0) == kNoValue) return std::nullopt;
  const OnnxValue x = graph_.Core(difference->inputs[0]);

  // Of ordinary numbers it gives what a norm gives; of tiny ones it shows its epsilon.
  const auto width = static_cast<std::int64_t>(scale->first.shape[0]);
  const OnnxArray ordinary = Noise({1, 2, width}, 11);
  auto statistics = [&](const OnnxArray& array, std::int64_t row) {
    double mean = 0, variance = 0;
    for (std::int64_t i = 0; i < width; ++i) mean += array.data[static_cast<std::size_t>(row * width + i)];
    mean /= static_cast<double>(width);
    for (std::int64_t i = 0; i < width; ++i) {
      const double d = array.data[static_cast<std::size_t>(row * width + i)] - mean;
      variance += d * d;
    }
    return std::pair(mean, variance / static_cast<double>(width));
  };
  auto evaluate = [&](const OnnxArray& array) -> std::optional<OnnxArray> {
    OnnxEvaluator evaluator = Evaluator();
    evaluator.Set(x, array);
    const OnnxArray* result = evaluator.Evaluate(scale->second);
    if (result == nullptr || result->shape != array.shape) return std::nullopt;
    return *result;
  };
  const auto result = evaluate(ordinary);
  if (!result) return std::nullopt;
  double epsilon = 0;
  for (std::int64_t row = 0; row < 2; ++row) {
    const auto [mean, variance] = statistics(ordinary, row);
    for (std::int64_t i = 0; i < width; ++i) {
      const auto at = static_cast<std::size_t>(row * width + i);
      const double expected = (ordinary.data[at] - mean) / std::sqrt(variance);
      if (!(std::fabs(result->data[at] - expected) <= 2e-3 * std::max(1.0, std::fabs(expected)))) return std::nullopt;
    }
  }
  OnnxArray tiny = ordinary;
  for (double& one : tiny.data) one *= 1e-6;
  const auto shrunk = evaluate(tiny);
  if (!shrunk) return std::nullopt;
  const auto [mean, variance] = statistics(tiny, 0);
  std::size_t largest = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(width); ++i) {
    if (std::fabs(tiny.data[i] - mean) > std::fabs(tiny.data[largest] - mean)) largest = i;
  }
  const double ratio = (tiny.data[largest] - mean) / shrunk->data[largest];
  epsilon = ratio * ratio - variance;
  OnnxNorm norm{{x}, {}, scale->first, bias->first, epsilon};
  const OnnxType type = graph_.data().file().tensors()[scale->first.tensor].type;
  if (type != OnnxType::kFloat || !(epsilon > 1e-16)) norm.epsilon.reset();
  return norm;
}

OnnxSum OnnxLayers::Sum(const std::vector<OnnxValue>& values) {
  OnnxSum sum;
  std::vector<OnnxValue> open = values;
  for (std::size_t i = 0; i < open.size(); ++i) {
    const OnnxValue value = open[i] == kNoValue ? kNoValue : graph_.Core(open[i]);
    const GraphNode* node = graph_.Producer(value);
    if (auto product = graph_.Product(value)) {
      sum.products.push_back(*std::move(product));
    } else if (auto vector = graph_.Vector(value)) {
      sum.vectors.push_back(*std::move(vector));
    } else if (node != nullptr && node->Is("Add") && node->inputs.size() == 2 && open.size() < kMaxTerms &&
               Norm(value) == nullptr) {
      open.insert(open.end(), node->inputs.begin(), node->inputs.end());
    } else if (value != kNoValue) {
      sum.others.push_back(value);
    }
  }
  return sum;
}

std::optional<std::vector<OnnxValue>> OnnxLayers::ProductsBehind(OnnxValue value, const std::vector<OnnxValue>& ends) {
  std::vector<OnnxValue> open = {graph_.Core(value)}, found;
  std::set<OnnxValue> seen(open.begin(), open.end());
  for (std::size_t i = 0; i < open.size(); ++i) {
    if (i == kMaxCone) return std::nullopt;
    const OnnxValue at = open[i];
    if (std::find(ends.begin(), ends.end(), at) != ends.end()) continue;
    if (graph_.Linear(at)) {
      found.push_back(at);
      continue;
    }
    const GraphNode* node = graph_.Producer(at);
    if (node == nullptr || node->Is("Shape")) continue;
    for (OnnxValue input : node->inputs) {
      if (input == kNoValue || graph_.Constant(input)) continue;
      input = graph_.Core(input);
      if (seen.insert(input).second) open.push_back(input);
    }
  }
  return found;
}

Result<OnnxActivated> OnnxLayers::Activated(OnnxValue value) {
  value = graph_.Core(value);
  const GraphNode* node = graph_.Producer(value);
  if (node != nullptr && (node->Is("BiasGelu") || node->Is("FastGelu")) && node->input(1) != kNoValue) {
    auto linear = graph_.Linear(node->input(0));
    auto bias = graph_.Vector(node->inputs[1]);
    if (linear && bias && !linear->bias) {
      linear->bias = std::move(bias);
      return OnnxActivated{*std::move(linear), node->Is("BiasGelu") ? "gelu" : "gelu_new"};
    }
  }
  const auto found = ProductsBehind(value, {});
  if (!found || found->size() != 1) {
    return graph_.Unsupported(value, "expected an activation of one matrix product, found ",
                              std::to_string(found ? found->size() : 0), " products");
  }
  OnnxLinear linear = *graph_.Linear(found->front());
  if (linear.weight.shape[0] > kMaxWidth) return graph_.Unsupported(value, "too many outputs");
  const auto width = static_cast<std::int64_t>(linear.weight.shape[0]);
  const std::int64_t rows = std::max<std::int64_t>(4, kPoints / std::max<std::int64_t>(width, 1));
  // Of three dimensions in an encoder, of two in a head.
  for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{1, rows, width}, {rows, width}}) {
    OnnxArray x{shape, {}, false};
    for (std::int64_t i = 0; i < rows * width; ++i) {
      x.data.push_back(-5 + 10 * static_cast<double>(i) / static_cast<double>(rows * width));
    }
    OnnxEvaluator evaluator = Evaluator();
    evaluator.Set(found->front(), x);
    const OnnxArray* y = evaluator.Evaluate(value);
    if (y == nullptr && shape.size() == 2) {
      return graph_.Unsupported(evaluator.failed(), "as a part of an activation: ", evaluator.failure());
    }
    if (y == nullptr || y->shape != x.shape) continue;
    for (const NamedFunction& one : kFunctions) {
      bool same = true;
      for (std::size_t i = 0; i < x.data.size(); ++i) {
        same &= std::fabs(one.function(x.data[i]) - y->data[i]) <= kActivationTolerance;
      }
      if (same) return OnnxActivated{std::move(linear), one.name};
    }
    break;
  }
  return graph_.Unsupported(value, "the activation is none of gelu, gelu_new, relu, silu, quick_gelu and tanh");
}

}  // namespace thimble::convert
