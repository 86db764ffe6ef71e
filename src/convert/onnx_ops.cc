// Operators by kind: elementwise, reductions, products, shapes and picking.

#include "convert/onnx_ops.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>
#include <utility>

namespace thimble::convert {
namespace {

using Array = OnnxArray;
using Maybe = std::optional<Array>;
using Shape = std::vector<std::int64_t>;

constexpr std::size_t kMaxRank = 8;
constexpr double kLargestInteger = 9e15;  // Exact as doubles.

// The number of elements; nullopt beyond the limit.
std::optional<std::int64_t> Elements(const Shape& shape) {
  if (shape.size() > kMaxRank) return std::nullopt;
  std::int64_t elements = 1;
  for (std::int64_t size : shape) {
    if (size < 0 || size > kMaxArrayElements) return std::nullopt;
    elements *= size;
    if (elements > kMaxArrayElements) return std::nullopt;
  }
  return elements;
}

std::int64_t Integer(double value) {
  if (!(value > -kLargestInteger)) return static_cast<std::int64_t>(-kLargestInteger);
  return static_cast<std::int64_t>(std::min(value, kLargestInteger));
}

Shape Integers(const Array& array) {
  Shape result;
  for (double value : array.data) result.push_back(Integer(value));
  return result;
}

std::optional<std::size_t> Axis(std::int64_t axis, std::size_t rank) {
  const auto signed_rank = static_cast<std::int64_t>(rank);
  if (axis < 0) axis += signed_rank;
  if (axis < 0 || axis >= signed_rank) return std::nullopt;
  return static_cast<std::size_t>(axis);
}

// The elements in front of, along and behind an axis.
struct Split3 {
  std::int64_t outer = 1, along = 1, inner = 1;
};
Split3 SplitAt(const Shape& shape, std::size_t axis) {
  Split3 split;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    (i < axis ? split.outer : i == axis ? split.along : split.inner) *= shape[i];
  }
  return split;
}

Shape Strides(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

std::optional<Shape> Broadcast(const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (const Shape* shape : {&a, &b}) {
    const std::size_t skip = result.size() - shape->size();
    for (std::size_t i = 0; i < shape->size(); ++i) {
      std::int64_t& size = result[skip + i];
      if ((*shape)[i] == 1 || size == (*shape)[i]) continue;
      if (size != 1) return std::nullopt;
      size = (*shape)[i];
    }
  }
  if (!Elements(result)) return std::nullopt;
  return result;
}

// For each element of `shape`, the element of an array of shape `from` that is broadcast there.
std::vector<std::size_t> Sources(const Shape& from, const Shape& shape) {
  const Shape strides = Strides(from);
  std::vector<std::size_t> sources(static_cast<std::size_t>(*Elements(shape)));
  std::array<std::int64_t, kMaxRank> at{}, step{};
  const std::size_t skip = shape.size() - from.size();
  for (std::size_t i = 0; i < from.size(); ++i) step[skip + i] = from[i] == 1 ? 0 : strides[i];
  std::int64_t source = 0;
  for (std::size_t& out : sources) {
    out = static_cast<std::size_t>(source);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      source += step[axis];
      if (++at[axis] < shape[axis]) break;
      source -= step[axis] * shape[axis];
      at[axis] = 0;
    }
  }
  return sources;
}

// One node with its inputs.
class Operation {
 public:
  Operation(const OnnxGraph& graph, const GraphNode& node, const std::vector<const Array*>& inputs, std::int64_t* work)
      : graph_(graph), node_(node), inputs_(inputs), work_(*work) {}

  std::optional<std::vector<Array>> Run() {
    for (const Array* input : inputs_) work_ -= input == nullptr ? 0 : input->size();
    if (work_ < 0) return std::nullopt;
    if (node_.Is("Split")) return SplitArray();
    Maybe result;
    for (auto family : {&Operation::Unary, &Operation::Binary, &Operation::Reduce, &Operation::Shapes,
                        &Operation::Picks, &Operation::Products, &Operation::Rows}) {
      if ((result = (this->*family)())) break;
    }
    if (!result || static_cast<std::int64_t>(result->data.size()) != Elements(result->shape)) return std::nullopt;
    if ((work_ -= result->size()) < 0) return std::nullopt;
    std::vector<Array> outputs;
    outputs.push_back(*std::move(result));
    return outputs;
  }

 private:
  bool Is(std::string_view op) const { return node_.Is(op); }
  const Array* In(std::size_t i) const { return i < inputs_.size() ? inputs_[i] : nullptr; }

  // A list that is an input in newer versions of an operator, and an attribute in older ones.
  std::optional<Shape> List(std::size_t input, std::string_view attribute) const {
    if (const Array* array = In(input)) {
      if (array->data.size() > kMaxRank) return std::nullopt;
      return Integers(*array);
    }
    const OnnxAttribute* found = node_.Find(attribute);
    if (found == nullptr || found->integers.size() > kMaxRank) return std::nullopt;
    return found->integers;
  }

  template <typename F>
  Maybe Map(F function) const {
    if (In(0) == nullptr) return std::nullopt;
    Array result = *In(0);
    for (double& value : result.data) value = function(value);
    return result;
  }

  Maybe Unary() {
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

  static Maybe Truth(Maybe array) {
    if (array) array->integers = true;
    return array;
  }

  Maybe CastTo(OnnxType type) const {
    using enum OnnxType;
    if (type == kBool) return Truth(Map([](double x) { return x != 0 ? 1.0 : 0.0; }));
    if (type == kInt64 || type == kInt32 || type == kUint8 || type == kInt8) {
      return Truth(Map([](double x) { return std::trunc(x); }));
    }
    if (type != kFloat && type != kFloat16 && type != kBfloat16 && type != kDouble) return std::nullopt;
    Maybe result = Map([](double x) { return x; });
    if (result) result->integers = false;
    return result;
  }

  Maybe Clip() const {
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
  Maybe Zip(const Array* a, const Array* b, F function, bool truth = false) const {
    if (a == nullptr || b == nullptr) return std::nullopt;
    const auto shape = Broadcast(a->shape, b->shape);
    if (!shape) return std::nullopt;
    const auto from_a = Sources(a->shape, *shape), from_b = Sources(b->shape, *shape);
    Array result{*shape, std::vector<double>(from_a.size()), truth || (a->integers && b->integers)};
    for (std::size_t i = 0; i < from_a.size(); ++i) result.data[i] = function(a->data[from_a[i]], b->data[from_b[i]]);
    return result;
  }

  Maybe Binary() {
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

  Maybe Reduce() {
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
    Array result{result_shape, std::vector<double>(static_cast<std::size_t>(*Elements(kept)), start),
                 x.integers || arg};
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

  Maybe Reshaped(const Array& x, Shape shape) const {
    if (Elements(shape) != x.size()) return std::nullopt;
    return Array{std::move(shape), x.data, x.integers};
  }

  Maybe Shapes() {
    const Array* x = In(0);
    if (Is("Constant")) {
      Array result;
      if (const OnnxAttribute* value = node_.Find("value_int")) {
        result.data = {static_cast<double>(value->integer)};
        result.integers = true;
      } else if (const OnnxAttribute* real = node_.Find("value_float")) {
        result.data = {real->real};
      } else if (const OnnxAttribute* list = node_.Find("value_ints")) {
        result = {{static_cast<std::int64_t>(list->integers.size())}, {}, true};
        for (std::int64_t one : list->integers) result.data.push_back(static_cast<double>(one));
      } else if (const OnnxAttribute* reals = node_.Find("value_floats")) {
        result = {{static_cast<std::int64_t>(reals->reals.size())}, {}, false};
        for (float one : reals->reals) result.data.push_back(one);
      } else {
        return std::nullopt;
      }
      return result;
    }
    if (Is("Range")) return Range();
    if (x == nullptr) return std::nullopt;
    const auto rank = static_cast<std::int64_t>(x->shape.size());
    if (Is("Shape") || Is("Size")) {
      Array result{{}, {}, true};
      if (Is("Size")) {
        result.data = {static_cast<double>(x->size())};
        return result;
      }
      auto bound = [&](std::int64_t at) { return std::clamp<std::int64_t>(at < 0 ? at + rank : at, 0, rank); };
      for (std::int64_t i = bound(node_.Integer("start", 0)); i < bound(node_.Integer("end", rank)); ++i) {
        result.data.push_back(static_cast<double>(x->shape[static_cast<std::size_t>(i)]));
      }
      result.shape = {static_cast<std::int64_t>(result.data.size())};
      return result;
    }
    if (Is("Reshape")) {
      auto shape = List(1, "shape");
      if (!shape) return std::nullopt;
      std::int64_t known = 1;
      std::optional<std::size_t> open;
      for (std::size_t i = 0; i < shape->size(); ++i) {
        std::int64_t& size = (*shape)[i];
        if (size == 0 && node_.Integer("allowzero", 0) == 0) size = i < x->shape.size() ? x->shape[i] : -2;
        if (size == -1) {
          if (open) return std::nullopt;
          open = i;
        } else if (size < 0 || size > kMaxArrayElements || (known *= size) > kMaxArrayElements) {
          return std::nullopt;
        }
      }
      if (open) {
        if (known == 0) return std::nullopt;
        (*shape)[*open] = x->size() / known;
      }
      return Reshaped(*x, *std::move(shape));
    }
    if (Is("Flatten")) {
      const std::int64_t axis = node_.Integer("axis", 1);
      if (axis < 0 || axis > rank) return std::nullopt;
      Shape shape = {1, 1};
      for (std::int64_t i = 0; i < rank; ++i) shape[i < axis ? 0 : 1] *= x->shape[static_cast<std::size_t>(i)];
      return Reshaped(*x, shape);
    }
    if (Is("Unsqueeze")) {
      const auto axes = List(1, "axes");
      if (!axes || x->shape.size() + axes->size() > kMaxRank) return std::nullopt;
      std::vector<bool> added(x->shape.size() + axes->size(), false);
      for (std::int64_t one : *axes) {
        const auto axis = Axis(one, added.size());
        if (!axis || added[*axis]) return std::nullopt;
        added[*axis] = true;
      }
      Shape shape;
      std::size_t next = 0;
      for (bool one : added) shape.push_back(one ? 1 : x->shape[next++]);
      return Reshaped(*x, shape);
    }
    if (Is("Squeeze")) {
      std::vector<bool> dropped(x->shape.size(), false);
      const auto axes = List(1, "axes");
      for (std::size_t i = 0; i < dropped.size() && !axes; ++i) dropped[i] = x->shape[i] == 1;
      for (std::int64_t one : axes.value_or(Shape())) {
        const auto axis = Axis(one, dropped.size());
        if (!axis || x->shape[*axis] != 1) return std::nullopt;
        dropped[*axis] = true;
      }
      Shape shape;
      for (std::size_t i = 0; i < dropped.size(); ++i) {
        if (!dropped[i]) shape.push_back(x->shape[i]);
      }
      return Reshaped(*x, shape);
    }
    if (Is("Expand") && In(1) != nullptr && In(1)->data.size() <= kMaxRank) {
      const Shape wanted = Integers(*In(1));
      if (!Elements(wanted)) return std::nullopt;
      const auto shape = Broadcast(x->shape, wanted);
      return shape ? Picked(*x, *shape, Sources(x->shape, *shape)) : std::nullopt;
    }
    if (Is("Tile") && In(1) != nullptr && In(1)->data.size() == x->shape.size()) {
      Shape shape = Integers(*In(1));
      for (std::size_t i = 0; i < shape.size(); ++i) {
        if (shape[i] < 0 || shape[i] > kMaxArrayElements) return std::nullopt;
        shape[i] *= x->shape[i];
      }
      if (!Elements(shape)) return std::nullopt;
      const Shape strides = Strides(x->shape);
      std::vector<std::size_t> sources;
      for (std::int64_t i = 0; i < *Elements(shape); ++i) {
        std::int64_t rest = i, source = 0;
        for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis]) {
          source += rest % shape[axis] % x->shape[axis] * strides[axis];
        }
        sources.push_back(static_cast<std::size_t>(source));
      }
      return Picked(*x, shape, sources);
    }
    if (Is("ConstantOfShape") && x->data.size() <= kMaxRank) {
      const Shape shape = Integers(*x);
      const auto elements = Elements(shape);
      if (!elements) return std::nullopt;
      Array result{shape, {}, false};
      double value = 0;
      if (const OnnxAttribute* given = node_.Find("value"); given != nullptr && given->tensor >= 0) {
        const auto tensor = static_cast<std::size_t>(given->tensor);
        if (!graph_.data().Load(tensor).ok() || graph_.data().Elements(tensor) != 1) return std::nullopt;
        value = graph_.data().At(tensor, 0);
        const OnnxType type = graph_.data().file().tensors()[tensor].type;
        result.integers = type != OnnxType::kFloat && type != OnnxType::kFloat16 && type != OnnxType::kDouble;
      }
      result.data.assign(static_cast<std::size_t>(*elements), value);
      return result;
    }
    if (Is("Transpose")) {
      Shape order;
      if (const OnnxAttribute* given = node_.Find("perm")) {
        order = given->integers;
      } else {
        for (std::int64_t i = rank; i-- > 0;) order.push_back(i);
      }
      if (order.size() != x->shape.size()) return std::nullopt;
      const Shape strides = Strides(x->shape);
      Shape shape, steps, sorted = order;
      std::sort(sorted.begin(), sorted.end());
      for (std::size_t i = 0; i < order.size(); ++i) {
        if (sorted[i] != static_cast<std::int64_t>(i)) return std::nullopt;
        shape.push_back(x->shape[static_cast<std::size_t>(order[i])]);
        steps.push_back(strides[static_cast<std::size_t>(order[i])]);
      }
      std::vector<std::size_t> sources;
      for (std::int64_t i = 0; i < x->size(); ++i) {
        std::int64_t rest = i, source = 0;
        for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis])
          source += rest % shape[axis] * steps[axis];
        sources.push_back(static_cast<std::size_t>(source));
      }
      return Picked(*x, shape, sources);
    }
    return std::nullopt;
  }

  Maybe Range() const {
    if (In(0) == nullptr || In(1) == nullptr || In(2) == nullptr) return std::nullopt;
    for (std::size_t i = 0; i < 3; ++i) {
      if (In(i)->data.size() != 1) return std::nullopt;
    }
    const double start = In(0)->data[0], delta = In(2)->data[0];
    const double count = std::ceil((In(1)->data[0] - start) / delta);
    if (!(count <= kMaxArrayElements)) return std::nullopt;
    Array result{{static_cast<std::int64_t>(std::max(count, 0.0))}, {}, In(0)->integers};
    for (std::int64_t i = 0; i < result.shape[0]; ++i) result.data.push_back(start + static_cast<double>(i) * delta);
    return result;
  }

  static Maybe Picked(const Array& x, Shape shape, const std::vector<std::size_t>& sources) {
    Array result{std::move(shape), {}, x.integers};
    result.data.reserve(sources.size());
    for (std::size_t source : sources) {
      if (source >= x.data.size()) return std::nullopt;
      result.data.push_back(x.data[source]);
    }
    return result;
  }

  // An index as ONNX has it, from the end where it is negative.
  static std::optional<std::int64_t> At(double index, std::int64_t size) {
    std::int64_t at = Integer(index);
    if (at < 0) at += size;
    if (at < 0 || at >= size) return std::nullopt;
    return at;
  }

  Maybe Picks() {
    const Array* x = In(0);
    if (x == nullptr) return std::nullopt;
    if (Is("Gather") || Is("GatherElements")) {
      const Array* indices = In(1);
      const auto axis = Axis(node_.Integer("axis", 0), x->shape.size());
      if (indices == nullptr || !axis) return std::nullopt;
      const Split3 split = SplitAt(x->shape, *axis);
      Shape shape;
      std::vector<std::size_t> sources;
      if (Is("Gather")) {
        shape.assign(x->shape.begin(), x->shape.begin() + static_cast<std::ptrdiff_t>(*axis));
        shape.insert(shape.end(), indices->shape.begin(), indices->shape.end());
        shape.insert(shape.end(), x->shape.begin() + static_cast<std::ptrdiff_t>(*axis) + 1, x->shape.end());
        if (!Elements(shape)) return std::nullopt;
        for (std::int64_t outer = 0; outer < split.outer; ++outer) {
          for (double index : indices->data) {
            const auto at = At(index, split.along);
            if (!at) return std::nullopt;
            for (std::int64_t inner = 0; inner < split.inner; ++inner) {
              sources.push_back(static_cast<std::size_t>((outer * split.along + *at) * split.inner + inner));
            }
          }
        }
        return Picked(*x, std::move(shape), sources);
      }
      if (indices->shape.size() != x->shape.size()) return std::nullopt;
      const Shape strides = Strides(x->shape);
      for (std::int64_t i = 0; i < indices->size(); ++i) {
        std::int64_t rest = i, source = 0;
        for (std::size_t d = indices->shape.size(); d-- > 0; rest /= indices->shape[d]) {
          std::int64_t at = rest % indices->shape[d];
          if (d == *axis) {
            const auto picked = At(indices->data[static_cast<std::size_t>(i)], x->shape[d]);
            if (!picked) return std::nullopt;
            at = *picked;
          } else if (at >= x->shape[d]) {
            return std::nullopt;
          }
          source += at * strides[d];
        }
        sources.push_back(static_cast<std::size_t>(source));
      }
      return Picked(*x, indices->shape, sources);
    }
    if (Is("GatherND")) return GatherNd(*x);
    if (Is("Slice")) return Slice(*x);
    if (Is("Concat")) return Concat();
    if (Is("CumSum") && In(1) != nullptr && In(1)->data.size() == 1) {
      const auto axis = Axis(Integer(In(1)->data[0]), x->shape.size());
      if (!axis || node_.Integer("exclusive", 0) != 0 || node_.Integer("reverse", 0) != 0) return std::nullopt;
      const Split3 split = SplitAt(x->shape, *axis);
      Array result = *x;
      for (std::int64_t i = 0; i < x->size(); ++i) {
        if (i / split.inner % split.along == 0) continue;
        result.data[static_cast<std::size_t>(i)] += result.data[static_cast<std::size_t>(i - split.inner)];
      }
      return result;
    }
    if (Is("Trilu") && x->shape.size() >= 2) {
      const std::int64_t columns = x->shape.back(), rows = x->shape[x->shape.size() - 2];
      const std::int64_t k = In(1) != nullptr && !In(1)->data.empty() ? Integer(In(1)->data[0]) : 0;
      Array result = *x;
      for (std::int64_t i = 0; i < x->size(); ++i) {
        const std::int64_t column = i % columns, row = i / columns % rows;
        const bool kept = node_.Integer("upper", 1) != 0 ? column >= row + k : column <= row + k;
        if (!kept) result.data[static_cast<std::size_t>(i)] = 0;
      }
      return result;
    }
    return std::nullopt;
  }

  Maybe GatherNd(const Array& x) const {
    const Array* indices = In(1);
    if (indices == nullptr || indices->shape.empty() || node_.Integer("batch_dims", 0) != 0) return std::nullopt;
    const std::int64_t depth = indices->shape.back();
    if (depth < 1 || depth > static_cast<std::int64_t>(x.shape.size())) return std::nullopt;
    const Shape strides = Strides(x.shape);
    Shape shape(indices->shape.begin(), indices->shape.end() - 1);
    std::int64_t inner = 1;
    for (std::size_t i = static_cast<std::size_t>(depth); i < x.shape.size(); ++i) {
      shape.push_back(x.shape[i]);
      inner *= x.shape[i];
    }
    if (!Elements(shape)) return std::nullopt;
    std::vector<std::size_t> sources;
    for (std::int64_t i = 0; i < indices->size() / depth; ++i) {
      std::int64_t source = 0;
      for (std::int64_t d = 0; d < depth; ++d) {
        const auto axis = static_cast<std::size_t>(d);
        const auto at = At(indices->data[static_cast<std::size_t>(i * depth + d)], x.shape[axis]);
        if (!at) return std::nullopt;
        source += *at * strides[axis];
      }
      for (std::int64_t j = 0; j < inner; ++j) sources.push_back(static_cast<std::size_t>(source + j));
    }
    return Picked(x, std::move(shape), sources);
  }

  Maybe Slice(const Array& x) const {
    const auto starts = List(1, "starts"), ends = List(2, "ends"), given = List(3, "axes"), by = List(4, "steps");
    if (!starts || !ends || starts->size() != ends->size()) return std::nullopt;
    if ((given && given->size() != starts->size()) || (by && by->size() != starts->size())) return std::nullopt;
    const Shape strides = Strides(x.shape);
    Shape shape = x.shape, first(shape.size(), 0), steps(shape.size(), 1);
    for (std::size_t i = 0; i < starts->size(); ++i) {
      const auto axis = Axis(given ? (*given)[i] : static_cast<std::int64_t>(i), shape.size());
      const std::int64_t step = by ? (*by)[i] : 1;
      if (!axis || step == 0 || step > kMaxArrayElements || step < -kMaxArrayElements) return std::nullopt;
      const std::int64_t size = x.shape[*axis];
      auto bound = [&](std::int64_t at) {
        at = at < 0 ? at + size : at;
        return step > 0 ? std::clamp<std::int64_t>(at, 0, size) : std::clamp<std::int64_t>(at, -1, size - 1);
      };
      // From the end backwards, an end before the first element is written as a large negative number.
      const std::int64_t from = bound((*starts)[i]), to = bound((*ends)[i]);
      const std::int64_t count = step > 0 ? (to - from + step - 1) / step : (from - to - step - 1) / -step;
      shape[*axis] = std::max<std::int64_t>(count, 0);
      first[*axis] = from;
      steps[*axis] = step;
    }
    const auto elements = Elements(shape);
    if (!elements) return std::nullopt;
    std::vector<std::size_t> sources;
    for (std::int64_t i = 0; i < *elements; ++i) {
      std::int64_t rest = i, source = 0;
      for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis]) {
        source += (first[axis] + rest % shape[axis] * steps[axis]) * strides[axis];
      }
      if (source < 0) return std::nullopt;
      sources.push_back(static_cast<std::size_t>(source));
    }
    return Picked(x, std::move(shape), sources);
  }

  Maybe Concat() const {
    const auto axis = Axis(node_.Integer("axis", 0), In(0)->shape.size());
    if (!axis) return std::nullopt;
    Shape shape = In(0)->shape;
    shape[*axis] = 0;
    bool integers = true;
    for (const Array* part : inputs_) {
      if (part == nullptr || part->shape.size() != shape.size()) return std::nullopt;
      for (std::size_t i = 0; i < shape.size(); ++i) {
        if (i == *axis) {
          shape[i] += part->shape[i];
        } else if (shape[i] != part->shape[i]) {
          return std::nullopt;
        }
      }
      if (!Elements(shape)) return std::nullopt;
      integers &= part->integers;
    }
    Array result{shape, {}, integers};
    const std::int64_t outer = SplitAt(shape, *axis).outer;
    for (std::int64_t i = 0; i < outer; ++i) {
      for (const Array* part : inputs_) {
        const std::int64_t length = part->size() / outer;
        result.data.insert(result.data.end(), part->data.begin() + i * length, part->data.begin() + (i + 1) * length);
      }
    }
    return result;
  }

  std::optional<std::vector<Array>> SplitArray() const {
    const Array* x = In(0);
    const auto axis = x == nullptr ? std::nullopt : Axis(node_.Integer("axis", 0), x->shape.size());
    const std::size_t parts = node_.outputs.size();
    if (!axis || parts == 0) return std::nullopt;
    const Split3 split = SplitAt(x->shape, *axis);
    auto sizes = List(1, "split").value_or(Shape());
    const auto share = (split.along + static_cast<std::int64_t>(parts) - 1) / static_cast<std::int64_t>(parts);
    for (std::int64_t rest = split.along; sizes.size() < parts; rest -= sizes.back()) {
      sizes.push_back(std::min(share, rest));
    }
    std::vector<Array> outputs;
    std::int64_t begin = 0;
    for (std::int64_t size : sizes) {
      if (size < 0 || size > split.along - begin) return std::nullopt;
      Array part{x->shape, {}, x->integers};
      part.shape[*axis] = size;
      for (std::int64_t outer = 0; outer < split.outer; ++outer) {
        const auto from = x->data.begin() + (outer * split.along + begin) * split.inner;
        part.data.insert(part.data.end(), from, from + size * split.inner);
      }
      outputs.push_back(std::move(part));
      begin += size;
    }
    return outputs;
  }

  Maybe Products() {
    if (!Is("MatMul") && !Is("FusedMatMul")) return std::nullopt;
    const Array *a = In(0), *b = In(1);
    if (a == nullptr || b == nullptr || a->shape.size() < 2 || b->shape.size() < 2) return std::nullopt;
    const bool fused = Is("FusedMatMul");
    const bool turn_a = fused && node_.Integer("transA", 0) != 0, turn_b = fused && node_.Integer("transB", 0) != 0;
    const double alpha = fused ? node_.Real("alpha", 1) : 1;
    if (fused && (node_.Integer("transBatchA", 0) != 0 || node_.Integer("transBatchB", 0) != 0)) return std::nullopt;
    auto size = [](const Array& x, bool turned, std::size_t side) {
      return x.shape[x.shape.size() - (turned == (side == 0) ? 1 : 2)];
    };
    const std::int64_t rows = size(*a, turn_a, 0), depth = size(*a, turn_a, 1), columns = size(*b, turn_b, 1);
    if (size(*b, turn_b, 0) != depth) return std::nullopt;
    const Shape outer_a(a->shape.begin(), a->shape.end() - 2), outer_b(b->shape.begin(), b->shape.end() - 2);
    auto shape = Broadcast(outer_a, outer_b);
    if (!shape) return std::nullopt;
    const auto from_a = Sources(outer_a, *shape), from_b = Sources(outer_b, *shape);
    shape->push_back(rows);
    shape->push_back(columns);
    const auto elements = Elements(*shape);
    if (!elements || (work_ -= *elements * std::max<std::int64_t>(depth, 1) / 8) < 0) return std::nullopt;
    Array result{*shape, {}, false};
    result.data.reserve(static_cast<std::size_t>(*elements));
    for (std::size_t matrix = 0; matrix < from_a.size(); ++matrix) {
      const auto at_a = static_cast<std::int64_t>(from_a[matrix]) * rows * depth;
      const auto at_b = static_cast<std::int64_t>(from_b[matrix]) * depth * columns;
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < columns; ++j) {
          double sum = 0;
          for (std::int64_t k = 0; k < depth; ++k) {
            const std::int64_t in_a = turn_a ? k * rows + i : i * depth + k;
            const std::int64_t in_b = turn_b ? j * depth + k : k * columns + j;
            sum += a->data[static_cast<std::size_t>(at_a + in_a)] * b->data[static_cast<std::size_t>(at_b + in_b)];
          }
          result.data.push_back(sum * alpha);
        }
      }
    }
    return result;
  }

  // What works on the elements along one axis together.
  Maybe Rows() {
    const bool softmax = Is("Softmax"), unit = Is("LpNormalization");
    if ((!softmax && !unit) || In(0) == nullptr) return std::nullopt;
    const auto axis = Axis(node_.Integer("axis", -1), In(0)->shape.size());
    if (!axis || (unit && node_.Integer("p", 2) != 2)) return std::nullopt;
    Array result = *In(0);
    const Split3 split = SplitAt(result.shape, *axis);
    for (std::int64_t row = 0; row < split.outer * split.inner; ++row) {
      const std::int64_t first = row / std::max<std::int64_t>(split.inner, 1) * split.along * split.inner +
                                 row % std::max<std::int64_t>(split.inner, 1);
      auto at = [&](std::int64_t i) -> double& {
        return result.data[static_cast<std::size_t>(first + i * split.inner)];
      };
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

  const OnnxGraph& graph_;
  const GraphNode& node_;
  const std::vector<const Array*>& inputs_;
  std::int64_t& work_;
};

}  // namespace

std::optional<std::vector<OnnxArray>> RunOnnxNode(const OnnxGraph& graph, const GraphNode& node,
                                                  const std::vector<const OnnxArray*>& inputs, std::int64_t* work) {
  return Operation(graph, node, inputs, work).Run();
}

}  // namespace thimble::convert
