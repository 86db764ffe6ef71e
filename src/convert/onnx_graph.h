// An ONNX graph by who makes and who takes each value, and the layers that its nodes form: constants as they are read,
// matrix products, sums and layer norms, in every way that exporters and optimisers write them.

#ifndef THIMBLE_CONVERT_ONNX_GRAPH_H_
#define THIMBLE_CONVERT_ONNX_GRAPH_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "convert/onnx_data.h"
#include "thimble/status.h"

namespace thimble::convert {

// A value that nodes make and take, by its number; kNoValue for an input or output that is left out.
using OnnxValue = int;
inline constexpr OnnxValue kNoValue = -1;

inline bool IsFloat(OnnxType type) {
  return type == OnnxType::kFloat || type == OnnxType::kFloat16 || type == OnnxType::kBfloat16 ||
         type == OnnxType::kDouble;
}

struct GraphNode {
  const OnnxNode* proto = nullptr;
  std::vector<OnnxValue> inputs, outputs;

  std::string_view op() const { return proto->op; }
  bool Is(std::string_view name) const { return proto->op == name; }
  OnnxValue input(std::size_t i) const { return i < inputs.size() ? inputs[i] : kNoValue; }
  // nullptr when the node lacks it.
  const OnnxAttribute* Find(std::string_view name) const;
  std::int64_t Integer(std::string_view name, std::int64_t otherwise) const;
  float Real(std::string_view name, float otherwise) const;
};

// output = input * weight^T + bias, the weight as [outputs][inputs].
struct OnnxLinear {
  OnnxValue input = kNoValue;
  OnnxWeight weight;
  std::optional<OnnxWeight> bias;
};

// Thread-compatible.
class OnnxGraph {
 public:
  // Keeps the data, which has to live as long. kCorrupt for a graph whose nodes are out of order or in a circle.
  static Result<OnnxGraph> Index(OnnxData* data);

  OnnxData& data() const { return *data_; }
  const std::string& path() const { return data_->file().path(); }
  const std::vector<GraphNode>& nodes() const { return nodes_; }
  std::size_t values() const { return names_.size(); }
  std::string_view name(OnnxValue value) const { return value == kNoValue ? "" : names_[value]; }
  // The value of this name, kNoValue for none.
  OnnxValue Find(std::string_view name) const;
  // Whether the graph has an output of this name, and its value.
  OnnxValue Output(std::string_view name) const;
  bool IsInput(OnnxValue value) const { return value != kNoValue && producers_[value] < 0 && !constants_[value]; }

  // nullptr for inputs of the graph and initializers.
  const GraphNode* Producer(OnnxValue value) const;
  // Index in nodes(), -1 for none.
  int ProducerIndex(OnnxValue value) const { return value == kNoValue ? -1 : producers_[value]; }
  // The producer behind what only copies or casts numbers.
  const GraphNode* Producer(OnnxValue value, std::string_view op) const;
  // `value` without the copies, casts to a floating type, dropouts and round trips through integers on its way.
  OnnxValue Core(OnnxValue value) const;

  // The constant that is this value, of any rank up to 2.
  const std::optional<OnnxWeight>& Constant(OnnxValue value) const { return constants_[value]; }
  // Its tensor, where it is one as it is stored.
  std::optional<std::size_t> ConstantTensor(OnnxValue value) const;
  // A constant of one dimension, those of length 1 before it left out.
  std::optional<OnnxWeight> Vector(OnnxValue value) const;

  // onnx_products.cc: the matrix product, with the bias that its node itself adds.
  std::optional<OnnxLinear> Product(OnnxValue value) const;
  // The product, with the bias that a node behind it adds.
  std::optional<OnnxLinear> Linear(OnnxValue value) const;

  // "node "name" (Op) in PATH", or the input "name", for messages.
  std::string Describe(OnnxValue value) const;
  template <typename... Parts>
  Status Unsupported(OnnxValue value, const Parts&... parts) const;

 private:
  explicit OnnxGraph(OnnxData* data) : data_(data) {}
  OnnxValue Number(std::string_view name);
  Status AddNode(const OnnxNode& node);
  void AddConstant(const GraphNode& node);
  std::optional<OnnxWeight> Stored(std::size_t tensor) const;
  std::optional<OnnxQuantization> Scales(const OnnxWeight& of, OnnxValue scale, OnnxValue zero, std::int64_t axis,
                                         std::int64_t block) const;
  std::optional<OnnxLinear> PlainProduct(const GraphNode& node) const;
  std::optional<OnnxLinear> IntegerProduct(const GraphNode& scaled) const;
  std::optional<OnnxLinear> BlockProduct(const GraphNode& node) const;
  std::optional<OnnxWeight> Matrix(OnnxValue value, bool transposed) const;

  OnnxData* data_;
  std::vector<std::string_view> names_;
  std::unordered_map<std::string_view, OnnxValue> numbers_;
  std::vector<GraphNode> nodes_;
  std::vector<int> producers_;
  std::vector<std::optional<OnnxWeight>> constants_;
};

template <typename... Parts>
Status OnnxGraph::Unsupported(OnnxValue value, const Parts&... parts) const {
  std::string message;
  ((message += parts), ...);
  return Status(Code::kUnsupported, path() + ": " + Describe(value) + ": " + message);
}

// The rows of a table that `node` picks (its table and its indices), where it is a Gather of one in any form.
std::optional<std::pair<OnnxWeight, OnnxValue>> GatheredRows(const OnnxGraph& graph, OnnxValue value);

// A tensor of rank 1 or 2 as it is stored.
OnnxWeight Dense(std::size_t tensor, std::vector<std::uint64_t> shape);
// The transpose of a constant of rank 2.
OnnxWeight Transposed(OnnxWeight weight);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_ONNX_GRAPH_H_
