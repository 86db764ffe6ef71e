// Computes small parts of an ONNX graph, to find out what they are: a part is an attention, an activation, a pooling
// when it gives the numbers that one gives, however an exporter has written it.

#ifndef THIMBLE_CONVERT_ONNX_EVAL_H_
#define THIMBLE_CONVERT_ONNX_EVAL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "convert/onnx_graph.h"

namespace thimble::convert {

// Integers and truth values are kept as the doubles that they are.
struct OnnxArray {
  std::vector<std::int64_t> shape;
  std::vector<double> data;
  bool integers = false;  // Or truth values.

  std::int64_t size() const { return static_cast<std::int64_t>(data.size()); }
};

// Thread-compatible. Whatever it is given, it does a bounded amount of work in a bounded amount of memory.
class OnnxEvaluator {
 public:
  // `work` is what is left of the work that one file may cause, in elements.
  OnnxEvaluator(const OnnxGraph& graph, std::int64_t* work) : graph_(graph), work_(*work) {}

  // What the value is taken to be; what makes it is then not looked at.
  void Set(OnnxValue value, OnnxArray array) { Set(value, std::make_shared<const OnnxArray>(std::move(array))); }
  void Set(OnnxValue value, std::shared_ptr<const OnnxArray> array) { known_[value] = std::move(array); }

  // nullptr, and failure() and failed() say why, where it rests on a value that is not set, or on an operator that is
  // unknown here.
  const OnnxArray* Evaluate(OnnxValue value);

  const std::string& failure() const { return failure_; }
  OnnxValue failed() const { return failed_; }

 private:
  bool Run(const GraphNode& node);
  bool Constant(OnnxValue value);

  const OnnxGraph& graph_;
  std::int64_t& work_;
  std::unordered_map<OnnxValue, std::shared_ptr<const OnnxArray>> known_;
  std::string failure_;
  OnnxValue failed_ = kNoValue;
};

// One node of a graph with its inputs, and the functions on shapes that its operators share.

using OnnxShape = std::vector<std::int64_t>;

inline constexpr std::size_t kMaxRank = 8;
// Elements of one array at most: a mask of 512 by 512 tokens has a quarter of them.
inline constexpr std::int64_t kMaxArrayElements = 1 << 20;

// The number of elements; nullopt beyond the limit.
std::optional<std::int64_t> Elements(const OnnxShape& shape);
// The whole part of a value, as far as doubles are exact.
std::int64_t Integer(double value);
OnnxShape Integers(const OnnxArray& array);
// An axis, counted from the end where it is negative; nullopt where there is no such axis.
std::optional<std::size_t> Axis(std::int64_t axis, std::size_t rank);

// The elements in front of, along and behind an axis.
struct Split3 {
  std::int64_t outer = 1, along = 1, inner = 1;
};
Split3 SplitAt(const OnnxShape& shape, std::size_t axis);

OnnxShape Strides(const OnnxShape& shape);
std::optional<OnnxShape> Broadcast(const OnnxShape& a, const OnnxShape& b);
// For each element of `shape`, the element of an array of shape `from` that is broadcast there.
std::vector<std::size_t> Sources(const OnnxShape& from, const OnnxShape& shape);

// Thread-compatible. What it is made of must outlive it.
class OnnxOperation {
 public:
  OnnxOperation(const OnnxGraph& graph, const GraphNode& node, const std::vector<const OnnxArray*>& inputs,
                std::int64_t* work)
      : graph_(graph), node_(node), inputs_(inputs), work_(*work) {}

  // What the node makes of its inputs, of which those left out are nullptr: its outputs, or nullopt where the operator
  // or a form of it is unknown, the inputs do not fit, or an output would be too large. `work` is lowered by the
  // elements that are computed, and what would take more than there is left is not computed.
  std::optional<std::vector<OnnxArray>> Run();

 private:
  using Maybe = std::optional<OnnxArray>;

  bool Is(std::string_view op) const { return node_.Is(op); }
  const OnnxArray* In(std::size_t i) const { return i < inputs_.size() ? inputs_[i] : nullptr; }
  // A list that is an input in newer versions of an operator, and an attribute in older ones.
  std::optional<OnnxShape> List(std::size_t input, std::string_view attribute) const;

  // Families of operators: nullopt where the node is of another one, or cannot be computed.
  Maybe Unary() const;  // onnx_elementwise.cc
  Maybe Binary() const;
  Maybe Reduce() const;
  Maybe Rows() const;    // What works on the elements along one axis together.
  Maybe Sizes() const;   // onnx_shapes.cc: makes arrays from sizes, or reports sizes.
  Maybe Views() const;   // The same elements in another shape.
  Maybe Copies() const;  // onnx_picks.cc: elements in another order, or repeated.
  Maybe Picks() const;   // Some of the elements.
  Maybe Products();      // onnx_ops.cc
  std::optional<std::vector<OnnxArray>> SplitArray() const;

  // Steps of these.
  template <typename F>
  Maybe Map(F function) const;
  template <typename F>
  Maybe Zip(const OnnxArray* a, const OnnxArray* b, F function, bool truth = false) const;
  Maybe CastTo(OnnxType type) const;
  Maybe Clip() const;
  Maybe Range() const;
  Maybe GatherNd(const OnnxArray& x) const;
  Maybe Slice(const OnnxArray& x) const;
  Maybe Concat() const;

  const OnnxGraph& graph_;
  const GraphNode& node_;
  const std::vector<const OnnxArray*>& inputs_;
  std::int64_t& work_;
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_ONNX_EVAL_H_
