// Runs a node: tries the families of operators, and multiplies matrices.

#include <algorithm>
#include <array>
#include <utility>

#include "convert/onnx_eval.h"

namespace thimble::convert {
namespace {

using Array = OnnxArray;
using Maybe = std::optional<Array>;
using Shape = OnnxShape;

constexpr double kLargestInteger = 9e15;  // Exact as doubles.

}  // namespace

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

std::optional<std::vector<OnnxArray>> OnnxOperation::Run() {
  for (const Array* input : inputs_) work_ -= input == nullptr ? 0 : input->size();
  if (work_ < 0) return std::nullopt;
  if (node_.Is("Split")) return SplitArray();
  Maybe result;
  for (auto family : {&OnnxOperation::Unary, &OnnxOperation::Binary, &OnnxOperation::Reduce, &OnnxOperation::Sizes,
                      &OnnxOperation::Views, &OnnxOperation::Copies, &OnnxOperation::Picks, &OnnxOperation::Rows}) {
    if ((result = (this->*family)())) break;
  }
  if (!result) result = Products();
  if (!result || static_cast<std::int64_t>(result->data.size()) != Elements(result->shape)) return std::nullopt;
  if ((work_ -= result->size()) < 0) return std::nullopt;
  std::vector<Array> outputs;
  outputs.push_back(*std::move(result));
  return outputs;
}

std::optional<Shape> OnnxOperation::List(std::size_t input, std::string_view attribute) const {
  if (const Array* array = In(input)) {
    if (array->data.size() > kMaxRank) return std::nullopt;
    return Integers(*array);
  }
  const OnnxAttribute* found = node_.Find(attribute);
  if (found == nullptr || found->integers.size() > kMaxRank) return std::nullopt;
  return found->integers;
}

Maybe OnnxOperation::Products() {
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

}  // namespace thimble::convert
