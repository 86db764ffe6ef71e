// Operators that make or change shapes: the elements stay where they are.

#include <algorithm>
#include <cmath>
#include <utility>

#include "convert/onnx_eval.h"

namespace thimble::convert {
namespace {

using Array = OnnxArray;
using Maybe = std::optional<Array>;
using Shape = OnnxShape;

Maybe Reshaped(const Array& x, Shape shape) {
  if (Elements(shape) != x.size()) return std::nullopt;
  return Array{std::move(shape), x.data, x.integers};
}

}  // namespace

Maybe OnnxOperation::Sizes() const {
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
  return std::nullopt;
}

Maybe OnnxOperation::Range() const {
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

Maybe OnnxOperation::Views() const {
  const Array* x = In(0);
  if (x == nullptr) return std::nullopt;
  const auto rank = static_cast<std::int64_t>(x->shape.size());
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
  return std::nullopt;
}

}  // namespace thimble::convert
