// Pooling and the modules behind it.

#include "model/head.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/finite.h"

namespace thimble::model {
namespace {

using kernels::Activation;

constexpr double kLayerNormEpsilon = 1e-5;  // Of torch.nn.LayerNorm.

constexpr std::pair<HeadModule::Kind, std::string_view> kKinds[] = {{HeadModule::Kind::kDense, "dense"},
                                                                    {HeadModule::Kind::kLayerNorm, "layer_norm"},
                                                                    {HeadModule::Kind::kNormalize, "normalize"},
                                                                    {HeadModule::Kind::kTruncate, "truncate"}};
constexpr std::pair<std::optional<Activation>, std::string_view> kActivations[] = {
    {std::nullopt, "identity"},           {Activation::kGelu, "gelu"},
    {Activation::kGeluTanh, "gelu_tanh"}, {Activation::kQuickGelu, "quick_gelu"},
    {Activation::kSilu, "silu"},          {Activation::kRelu, "relu"},
    {Activation::kTanh, "tanh"}};

constexpr std::pair<Pooling, std::string_view> kPoolings[] = {{Pooling::kMean, "mean"},
                                                              {Pooling::kCls, "cls"},
                                                              {Pooling::kLast, "last"},
                                                              {Pooling::kMax, "max"},
                                                              {Pooling::kMeanSqrtLen, "mean_sqrt_len_tokens"},
                                                              {Pooling::kWeightedMean, "weightedmean"}};

template <typename Table, typename Value>
std::string_view NameIn(const Table& table, const Value& value) {
  for (const auto& [known, name] : table) {
    if (known == value) return name;
  }
  return "";
}

template <typename Table, typename Value>
bool FindIn(const Table& table, std::string_view name, Value* value) {
  for (const auto& [known, known_name] : table) {
    if (known_name != name) continue;
    *value = known;
    return true;
  }
  return false;
}

// What brings values to mean 0 and variance 1.
struct Standard {
  double mean, factor;
  double operator()(float value) const { return (value - mean) * factor; }
};

Standard StandardOf(std::span<const float> values) {
  const auto count = static_cast<double>(values.size());
  double mean = 0, variance = 0;
  for (const float value : values) mean += value;
  mean /= count;
  for (const float value : values) variance += (value - mean) * (value - mean);
  return {mean, 1 / std::sqrt(variance / count + kLayerNormEpsilon)};
}

std::size_t Filled(std::size_t floats) { return base::RoundUp(floats, kHeadStep); }

}  // namespace

std::string_view HeadKindName(HeadModule::Kind kind) { return NameIn(kKinds, kind); }
std::string_view ActivationName(std::optional<Activation> activation) { return NameIn(kActivations, activation); }
bool ParseHeadKind(std::string_view name, HeadModule::Kind* kind) { return FindIn(kKinds, name, kind); }
bool ParseActivation(std::string_view name, std::optional<Activation>* activation) {
  return FindIn(kActivations, name, activation);
}

}  // namespace thimble::model

namespace thimble::inline v0_1 {

std::string_view PoolingName(Pooling pooling) { return model::NameIn(model::kPoolings, pooling); }

std::string PoolingNames(std::span<const Pooling> pooling) {
  std::string names;
  for (Pooling way : pooling) names.append(names.empty() ? "" : "+").append(PoolingName(way));
  return names;
}

Result<Pooling> ParsePooling(std::string_view name) {
  Pooling pooling;
  if (model::FindIn(model::kPoolings, name, &pooling)) return pooling;
  return Error(Code::kInvalidArgument, "unknown pooling \"", name,
               "\", expected mean, cls, last, max, mean_sqrt_len_tokens or weightedmean");
}

}  // namespace thimble::inline v0_1

namespace thimble::model {

Head::Head(const HeadSpec& spec, std::span<const HeadWeights> weights, std::size_t width,
           const kernels::Kernels& kernels, base::Arena& arena)
    : spec_(spec), weights_(weights), width_(width), dimensions_(spec.Dimensions(width)), k_(kernels) {
  if (spec.modules.empty()) return;
  capacity_ = spec.pooling.size() * width;
  for (const HeadModule& module : spec.modules) capacity_ = std::max(capacity_, Filled(module.outputs));
  for (float*& buffer : buffers_) buffer = arena.Take<float>(capacity_);
}

void Head::Run(std::span<const Pooling> pooling, const float* rows, std::size_t tokens, std::size_t skip,
               bool normalize, float* out) {
  float* pooled = spec_.modules.empty() ? out : buffers_[0];
  for (std::size_t i = 0; i < pooling.size(); ++i) Pool(pooling[i], rows, tokens, skip, pooled + i * width_);
  for (std::size_t i = 0; i < spec_.modules.size(); ++i) RunModule(i, buffers_[i % 2], buffers_[(i + 1) % 2]);
  if (!spec_.modules.empty()) {
    std::memcpy(out, buffers_[spec_.modules.size() % 2], dimensions_ * sizeof(float));
  }
  if (normalize) Normalize(out);
}

void Head::Normalize(float* vector) {
  if (dimensions_ % kernels::kStrip == 0) return k_.normalize(vector, dimensions_);
  float* filled = buffers_[0];  // Only behind a module are vectors of other lengths.
  std::fill_n(std::copy_n(vector, dimensions_, filled), Filled(dimensions_) - dimensions_, 0.0f);
  k_.normalize(filled, Filled(dimensions_));
  std::copy_n(filled, dimensions_, vector);
}

void Head::Cut(float* vector, std::size_t count, bool normalize, float* out) {
  if (spec_.layer_norm_before_cut) {
    const Standard standard = StandardOf({vector, dimensions_});
    for (std::size_t i = 0; i < count; ++i) vector[i] = static_cast<float>(standard(vector[i]));
  }
  std::fill(vector + count, vector + Filled(count), 0.0f);
  if (normalize) k_.normalize(vector, Filled(count));
  std::copy_n(vector, count, out);
}

void Head::Pool(Pooling pooling, const float* rows, std::size_t tokens, std::size_t skip, float* out) {
  if (skip >= tokens) {
    if (pooling == Pooling::kCls) std::memcpy(out, rows, width_ * sizeof(float));
    if (pooling != Pooling::kCls) std::fill_n(out, width_, 0.0f);
    return;
  }
  const float* first = rows + skip * width_;
  const std::size_t count = tokens - skip;
  switch (pooling) {
    case Pooling::kMean:
      return k_.sum(first, count, width_, 1.0f / static_cast<float>(count), out);
    case Pooling::kMeanSqrtLen:
      return k_.sum(first, count, width_, 1.0f / std::sqrt(static_cast<float>(count)), out);
    case Pooling::kMax:
      return k_.largest(first, count, width_, out);
    case Pooling::kWeightedMean:
      return k_.weighted_mean(first, count, width_, skip + 1, out);
    case Pooling::kCls:
      std::memcpy(out, first, width_ * sizeof(float));
      return;
    case Pooling::kLast:
      std::memcpy(out, first + (count - 1) * width_, width_ * sizeof(float));
      return;
  }
}

void Head::RunModule(std::size_t index, const float* from, float* to) {
  const HeadModule& module = spec_.modules[index];
  const HeadWeights& weights = weights_[index];
  const std::size_t filled = Filled(module.outputs);
  switch (module.kind) {
    case HeadModule::Kind::kNormalize:
      std::copy_n(from, filled, to);
      return k_.normalize(to, filled);
    case HeadModule::Kind::kTruncate:
      std::fill(std::copy_n(from, module.outputs, to), to + filled, 0.0f);
      return;
    case HeadModule::Kind::kLayerNorm: {
      const Standard standard = StandardOf({from, module.inputs});
      for (std::size_t i = 0; i < module.inputs; ++i) {
        to[i] = static_cast<float>(standard(from[i]) * weights.gamma[i] + weights.beta[i]);
      }
      std::fill(to + module.inputs, to + filled, 0.0f);
      return;
    }
    case HeadModule::Kind::kDense: {
      const std::size_t outputs = weights.dense.outputs;
      kernels::LinearOutput output = {.end = outputs, .rows = 1, .out = to, .stride = outputs};
      k_.linear_float(weights.dense, from, weights.dense.inputs, output);
      if (module.activation) {
        const bool finite = base::AllFinite({to, outputs});
        k_.activate(*module.activation, to, outputs);
        if (!finite) to[0] = std::numeric_limits<float>::quiet_NaN();  // Which the activation may have hidden.
      }
      if (HeadSpec::HasResidualMatrix(module)) {
        output.epilogue = kernels::Epilogue::kAdd;
        k_.linear_float(weights.residual, from, weights.residual.inputs, output);
      } else if (module.residual) {
        for (std::size_t i = 0; i < outputs; ++i) to[i] += from[i];
      }
      std::fill(to + outputs, to + filled, 0.0f);
      return;
    }
  }
}

}  // namespace thimble::model
