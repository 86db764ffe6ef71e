// Operators that put elements of an array into other places, some of them several times or not at all.

#include <algorithm>
#include <utility>

#include "convert/onnx_eval.h"

namespace thimble::convert {
namespace {

using Array = OnnxArray;
using Maybe = std::optional<Array>;
using Shape = OnnxShape;

Maybe Picked(const Array& x, Shape shape, const std::vector<std::size_t>& sources) {
  Array result{std::move(shape), {}, x.integers};
  result.data.reserve(sources.size());
  for (std::size_t source : sources) {
    if (source >= x.data.size()) return std::nullopt;
    result.data.push_back(x.data[source]);
  }
  return result;
}

// An index as ONNX has it, from the end where it is negative.
std::optional<std::int64_t> At(double index, std::int64_t size) {
  std::int64_t at = Integer(index);
  if (at < 0) at += size;
  if (at < 0 || at >= size) return std::nullopt;
  return at;
}

}  // namespace

Maybe OnnxOperation::Copies() const {
  const Array* x = In(0);
  if (x == nullptr) return std::nullopt;
  const auto rank = static_cast<std::int64_t>(x->shape.size());
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
      for (std::size_t axis = shape.size(); axis-- > 0; rest /= shape[axis]) source += rest % shape[axis] * steps[axis];
      sources.push_back(static_cast<std::size_t>(source));
    }
    return Picked(*x, shape, sources);
  }
  return std::nullopt;
}

Maybe OnnxOperation::Picks() const {
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

Maybe OnnxOperation::GatherNd(const Array& x) const {
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

Maybe OnnxOperation::Slice(const Array& x) const {
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

Maybe OnnxOperation::Concat() const {
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

std::optional<std::vector<Array>> OnnxOperation::SplitArray() const {
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

}  // namespace thimble::convert
