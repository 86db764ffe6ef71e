// Operators on elements: of one array, of two, reductions, and those along an axis.

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "convert/onnx_eval.h"

namespace thimble::convert {
namespace {

using Array = OnnxArray;
using Maybe = std::optional<Array>;
using Shape = OnnxShape;

Maybe Truth(Maybe array) {
  if (array) array->integers = true;
  return array;
}

}  // namespace

template <typename F>
Maybe OnnxOperation::Map(F function) const {
  if (In(0) == nullptr) return std::nullopt;
  Array result = *In(0);
  for (double& value : result.data) value = function(value);
  return result;
}

Maybe OnnxOperation::Unary() const {
  if (Is("Identity") || Is("Dropout") || Is("QuantizeLinear")) return In(0) ? Maybe(*In(0)) : std::nullopt;
  if (Is("DequantizeLinear")) {
    const GraphNode* quantize = graph_.Producer(node_.input(0));
    return In(0) && quantize != nullptr && quantize->Is("QuantizeLinear") ? Maybe(*In(0)) : std::nullopt;
  }
  if (Is("Cast")) return CastTo(static_cast<OnnxType>(node_.Integer("to", 0)));
  if (Is("CastLike")) {
    return In(0) && In(1) ? CastTo(In(1)->integers ? OnnxType::kInt64 : OnnxType::kFloat) : std::nullopt;
  }
  if (Is("Neg")) return Map([](double x) { return -x; });
  if (Is("Abs")) return Map([](double x) { return std::fabs(x); });
  if (Is("Sqrt")) return Map([](double x) { return std::sqrt(x); });
  if (Is("Reciprocal")) return Map([](double x) { return 1 / x; });
  if (Is("Exp")) return Map([](double x) { return std::exp(x); });
  if (Is("Log")) return Map([](double x) { return std::log(x); });
  if (Is("Erf")) return Map([](double x) { return std::erf(x); });
  if (Is("Tanh")) return Map([](double x) { return std::tanh(x); });
  if (Is("Sigmoid")) return Map([](double x) { return 1 / (1 + std::exp(-x)); });
  if (Is("Relu")) return Map([](double x) { return std::max(x, 0.0); });
  if (Is("Floor")) return Map([](double x) { return std::floor(x); });
  if (Is("Not")) return Map([](double x) { return x == 0 ? 1.0 : 0.0; });
  if (Is("IsNaN")) return Truth(Map([](double x) { return std::isnan(x) ? 1.0 : 0.0; }));
  if (Is("IsInf")) return Truth(Map([](double x) { return std::isinf(x) ? 1.0 : 0.0; }));
  const OnnxAttribute* approximate = node_.Find("approximate");
  const bool tanh = approximate != nullptr && approximate->text == "tanh";
  if (Is("FastGelu") || (Is("Gelu") && tanh)) {
    if (In(1) != nullptr) return std::nullopt;
    return Map([](double x) { return 0.5 * x * (1 + std::tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))); });
  }
  if (Is("Gelu")) return Map([](double x) { return 0.5 * x * (1 + std::erf(x * 0.7071067811865476)); });
  if (Is("QuickGelu") || Is("Swish")) {
    const double alpha = node_.Real("alpha", Is("Swish") ? 1 : 1.702f);
    return Map([&](double x) { return x / (1 + std::exp(-alpha * x)); });
  }
  if (Is("Clip")) return Clip();
  return std::nullopt;
}

Maybe OnnxOperation::CastTo(OnnxType type) const {
  using enum OnnxType;
  if (type == kBool) return Truth(Map([](double x) { return x != 0 ? 1.0 : 0.0; }));
  if (type == kInt64 || type == kInt32 || type == kUint8 || type == kInt8) {
    return Truth(Map([](double x) { return std::trunc(x); }));
  }
  if (!IsFloat(type)) return std::nullopt;
  Maybe result = Map([](double x) { return x; });
  if (result) result->integers = false;
  return result;
}

Maybe OnnxOperation::Clip() const {
  double low = node_.Real("min", -std::numeric_limits<float>::infinity());
  double high = node_.Real("max", std::numeric_limits<float>::infinity());
  if (In(1) != nullptr) {
    if (In(1)->data.size() != 1) return std::nullopt;
    low = In(1)->data[0];
  }
  if (In(2) != nullptr) {
    if (In(2)->data.size() != 1) return std::nullopt;
    high = In(2)->data[0];
  }
  return Map([&](double x) { return std::min(std::max(x, low), high); });
}

template <typename F>
Maybe OnnxOperation::Zip(const Array* a, const Array* b, F function, bool truth) const {
  if (a == nullptr || b == nullptr) return std::nullopt;
  const auto shape = Broadcast(a->shape, b->shape);
  if (!shape) return std::nullopt;
  const auto from_a = Sources(a->shape, *shape), from_b = Sources(b->shape, *shape);
  Array result{*shape, std::vector<double>(from_a.size()), truth || (a->integers && b->integers)};
  for (std::size_t i = 0; i < from_a.size(); ++i) result.data[i] = function(a->data[from_a[i]], b->data[from_b[i]]);
  return result;
}

Maybe OnnxOperation::Binary() const {
  const Array *a = In(0), *b = In(1);
  if (Is("Add")) return Zip(a, b, [](double x, double y) { return x + y; });
  if (Is("Sub")) return Zip(a, b, [](double x, double y) { return x - y; });
  if (Is("Mul")) return Zip(a, b, [](double x, double y) { return x * y; });
  if (Is("Pow")) return Zip(a, b, [](double x, double y) { return std::pow(x, y); });
  if (Is("Div")) {
    const bool whole = a != nullptr && b != nullptr && a->integers && b->integers;
    return Zip(a, b, [&](double x, double y) { return whole ? std::trunc(x / y) : x / y; });
  }
  if (Is("Equal")) return Zip(a, b, [](double x, double y) { return x == y ? 1.0 : 0.0; }, true);
  if (Is("Greater")) return Zip(a, b, [](double x, double y) { return x > y ? 1.0 : 0.0; }, true);
  if (Is("GreaterOrEqual")) return Zip(a, b, [](double x, double y) { return x >= y ? 1.0 : 0.0; }, true);
  if (Is("Less")) return Zip(a, b, [](double x, double y) { return x < y ? 1.0 : 0.0; }, true);
  if (Is("LessOrEqual")) return Zip(a, b, [](double x, double y) { return x <= y ? 1.0 : 0.0; }, true);
  if (Is("And")) return Zip(a, b, [](double x, double y) { return x != 0 && y != 0 ? 1.0 : 0.0; }, true);
  if (Is("Or")) return Zip(a, b, [](double x, double y) { return x != 0 || y != 0 ? 1.0 : 0.0; }, true);
  if (Is("Max") || Is("Min")) {
    Maybe result = a == nullptr ? std::nullopt : Maybe(*a);
    for (std::size_t i = 1; i < inputs_.size() && result; ++i) {
      result = Is("Max") ? Zip(&*result, In(i), [](double x, double y) { return std::max(x, y); })
                         : Zip(&*result, In(i), [](double x, double y) { return std::min(x, y); });
    }
    return result;
  }
  if (Is("Where")) {
    if (In(2) == nullptr) return std::nullopt;
    // Two steps, so that each is of two arrays: first which side each element is of.
    const Array *condition = a, *yes = b, *no = In(2);
    Maybe sides = Zip(yes, no, [](double, double) { return 0.0; });
    Maybe shaped = sides ? Zip(condition, &*sides, [](double x, double) { return x; }) : std::nullopt;
    if (!shaped) return std::nullopt;
    const auto from_yes = Sources(yes->shape, shaped->shape), from_no = Sources(no->shape, shaped->shape);
    shaped->integers = yes->integers && no->integers;
    for (std::size_t i = 0; i < from_yes.size(); ++i) {
      double& value = shaped->data[i];
      value = value != 0 ? yes->data[from_yes[i]] : no->data[from_no[i]];
    }
    return shaped;
  }
  return std::nullopt;
}

Maybe OnnxOperation::Reduce() const {
  const bool arg = Is("ArgMax") || Is("ArgMin");
  if ((!node_.op().starts_with("Reduce") && !arg) || In(0) == nullptr) return std::nullopt;
  const Array& x = *In(0);
  std::vector<bool> reduced(x.shape.size(), false);
  auto axes = arg ? Shape{node_.Integer("axis", 0)} : List(1, "axes").value_or(Shape());
  if (axes.empty() && node_.Integer("noop_with_empty_axes", 0) != 0) return x;
  if (axes.empty()) reduced.assign(x.shape.size(), true);
  for (std::int64_t one : axes) {
    const auto axis = Axis(one, x.shape.size());
    if (!axis) return std::nullopt;
    reduced[*axis] = true;
  }
  Shape kept = x.shape, result_shape;
  std::int64_t count = 1;
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (reduced[i]) count *= std::exchange(kept[i], 1);
    if (!reduced[i] || node_.Integer("keepdims", 1) != 0) result_shape.push_back(kept[i]);
  }
  if (count == 0) return std::nullopt;
  const bool max = Is("ReduceMax") || Is("ArgMax"), min = Is("ReduceMin") || Is("ArgMin");
  const bool square = Is("ReduceL2") || Is("ReduceSumSquare"), mean = Is("ReduceMean");
  if (!max && !min && !square && !mean && !Is("ReduceSum")) return std::nullopt;
  if (arg && node_.Integer("select_last_index", 0) != 0) return std::nullopt;
  const double start = max   ? -std::numeric_limits<double>::infinity()
                       : min ? std::numeric_limits<double>::infinity()
                             : 0;
  Array result{result_shape, std::vector<double>(static_cast<std::size_t>(*Elements(kept)), start), x.integers || arg};
  std::vector<double> place(result.data.size(), 0);
  const auto to = Sources(kept, x.shape);
  const std::int64_t inner = arg ? SplitAt(x.shape, *Axis(axes[0], x.shape.size())).inner : 1;
  const std::int64_t along = arg ? x.shape[*Axis(axes[0], x.shape.size())] : 1;
  for (std::size_t i = 0; i < x.data.size(); ++i) {
    double& sum = result.data[to[i]];
    const double value = x.data[i];
    if (max || min) {
      if (max ? value > sum : value < sum) {
        sum = value;
        place[to[i]] = static_cast<double>(static_cast<std::int64_t>(i) / inner % along);
      }
    } else {
      sum += square ? value * value : value;
    }
  }
  if (arg) result.data = std::move(place);
  for (double& value : result.data) {
    if (mean) value /= static_cast<double>(count);
    if (Is("ReduceL2")) value = std::sqrt(value);
  }
  return result;
}

Maybe OnnxOperation::Rows() const {
  const bool softmax = Is("Softmax"), unit = Is("LpNormalization");
  if ((!softmax && !unit) || In(0) == nullptr) return std::nullopt;
  const auto axis = Axis(node_.Integer("axis", -1), In(0)->shape.size());
  if (!axis || (unit && node_.Integer("p", 2) != 2)) return std::nullopt;
  Array result = *In(0);
  const Split3 split = SplitAt(result.shape, *axis);
  for (std::int64_t row = 0; row < split.outer * split.inner; ++row) {
    const std::int64_t first = row / std::max<std::int64_t>(split.inner, 1) * split.along * split.inner +
                               row % std::max<std::int64_t>(split.inner, 1);
    auto at = [&](std::int64_t i) -> double& { return result.data[static_cast<std::size_t>(first + i * split.inner)]; };
    double largest = -std::numeric_limits<double>::infinity(), sum = 0;
    for (std::int64_t i = 0; i < split.along; ++i) largest = std::max(largest, at(i));
    for (std::int64_t i = 0; i < split.along; ++i) {
      if (softmax) at(i) = std::exp(at(i) - largest);
      sum += softmax ? at(i) : at(i) * at(i);
    }
    for (std::int64_t i = 0; i < split.along; ++i) at(i) /= softmax ? sum : std::sqrt(sum);
  }
  return result;
}

}  // namespace thimble::convert
