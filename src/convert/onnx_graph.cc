// Indexing a graph, and the ways in which constants and products are written.

#include "convert/onnx_graph.h"

#include <algorithm>
#include <utility>

#include "base/checked.h"
#include "base/error.h"

namespace thimble::convert {
namespace {

constexpr int kMaxCopies = 32;  // In a row.

OnnxWeight Dense(std::size_t tensor, std::vector<std::uint64_t> shape) {
  OnnxWeight weight{.tensor = tensor, .shape = std::move(shape), .strides = {}, .quantization = {}};
  weight.strides.assign(weight.shape.size(), 1);
  if (weight.shape.size() == 2) weight.strides[0] = weight.shape[1];
  return weight;
}

}  // namespace

OnnxWeight Transposed(OnnxWeight weight) {
  std::reverse(weight.shape.begin(), weight.shape.end());
  std::reverse(weight.strides.begin(), weight.strides.end());
  return weight;
}

const OnnxAttribute* GraphNode::Find(std::string_view name) const {
  for (const OnnxAttribute& attribute : proto->attributes) {
    if (attribute.name == name) return &attribute;
  }
  return nullptr;
}

std::int64_t GraphNode::Integer(std::string_view name, std::int64_t otherwise) const {
  const OnnxAttribute* attribute = Find(name);
  return attribute == nullptr ? otherwise : attribute->integer;
}

float GraphNode::Real(std::string_view name, float otherwise) const {
  const OnnxAttribute* attribute = Find(name);
  return attribute == nullptr ? otherwise : attribute->real;
}

OnnxValue OnnxGraph::Number(std::string_view name) {
  if (name.empty()) return kNoValue;
  const auto [found, added] = numbers_.emplace(name, static_cast<OnnxValue>(names_.size()));
  if (added) {
    names_.push_back(name);
    producers_.push_back(-1);
    constants_.emplace_back();
  }
  return found->second;
}

Result<OnnxGraph> OnnxGraph::Index(OnnxData* data) {
  OnnxGraph graph(data);
  const OnnxFile& file = data->file();
  for (std::string_view name : file.inputs()) graph.Number(name);
  for (std::size_t i = 0; i < file.tensors().size(); ++i) {
    const OnnxValue value = graph.Number(file.tensors()[i].name);
    if (value != kNoValue) graph.constants_[value] = graph.Stored(i);
  }
  graph.nodes_.reserve(file.nodes().size());
  for (const OnnxNode& node : file.nodes()) THIMBLE_RETURN_IF_ERROR(graph.AddNode(node));
  return graph;
}

Status OnnxGraph::AddNode(const OnnxNode& proto) {
  GraphNode node{.proto = &proto, .inputs = {}, .outputs = {}};
  for (std::string_view name : proto.inputs) {
    if (!name.empty() && !numbers_.contains(name)) {
      return Error(Code::kCorrupt, path(), ": node \"", proto.name, "\" (", proto.op, ") takes \"", name,
                   "\", which no earlier node produces");
    }
    node.inputs.push_back(Number(name));
  }
  for (std::string_view name : proto.outputs) {
    if (numbers_.contains(name)) {
      return Error(Code::kCorrupt, path(), ": node \"", proto.name, "\" (", proto.op, ") makes \"", name,
                   "\", which exists already");
    }
    node.outputs.push_back(Number(name));
    if (!name.empty()) producers_[node.outputs.back()] = static_cast<int>(nodes_.size());
  }
  nodes_.push_back(std::move(node));
  if (!nodes_.back().outputs.empty() && nodes_.back().outputs[0] != kNoValue) AddConstant(nodes_.back());
  return Status();
}

std::optional<OnnxWeight> OnnxGraph::Stored(std::size_t tensor) const {
  return Dense(tensor, data_->file().tensors()[tensor].shape);
}

// What a node makes of constants alone, as far as it can be read without being computed.
void OnnxGraph::AddConstant(const GraphNode& node) {
  std::optional<OnnxWeight>& result = constants_[node.outputs[0]];
  if (node.Is("Constant")) {
    const OnnxAttribute* value = node.Find("value");
    if (value != nullptr && value->tensor >= 0) result = Stored(static_cast<std::size_t>(value->tensor));
    return;
  }
  if (node.input(0) == kNoValue || !constants_[node.inputs[0]]) return;
  const OnnxWeight& from = *constants_[node.inputs[0]];
  const OnnxType type = data_->file().tensors()[from.tensor].type;
  if (node.Is("Identity")) {
    result = from;
  } else if (node.Is("Cast") && !from.quantization && IsFloat(type)) {
    // A cast to fewer bits is not that constant any more.
    const auto to = static_cast<OnnxType>(node.Integer("to", 0));
    if (to == type || to == OnnxType::kDouble || (to == OnnxType::kFloat && type != OnnxType::kDouble)) result = from;
  } else if (node.Is("Transpose") && from.shape.size() == 2) {
    const OnnxAttribute* order = node.Find("perm");
    if (order == nullptr || order->integers == std::vector<std::int64_t>{1, 0}) {
      result = Transposed(from);
    } else if (order->integers == std::vector<std::int64_t>{0, 1}) {
      result = from;
    }
  } else if (node.Is("DequantizeLinear") && !from.quantization) {
    OnnxWeight weight = from;
    weight.quantization =
        Scales(from, node.input(1), node.input(2), node.Integer("axis", 1), node.Integer("block_size", 0));
    if (weight.quantization) result = std::move(weight);
  }
}

std::optional<std::size_t> OnnxGraph::ConstantTensor(OnnxValue value) const {
  if (value == kNoValue || !constants_[value] || constants_[value]->quantization) return std::nullopt;
  const OnnxWeight& weight = *constants_[value];
  if (weight.shape != data_->file().tensors()[weight.tensor].shape) return std::nullopt;
  if (weight.shape.size() == 2 && weight.strides[0] != weight.shape[1]) return std::nullopt;
  return weight.tensor;
}

// Of integers stored as they are read, which `scale` and `zero` go with.
std::optional<OnnxQuantization> OnnxGraph::Scales(const OnnxWeight& of, OnnxValue scale, OnnxValue zero,
                                                  std::int64_t axis, std::int64_t block) const {
  const auto scales = ConstantTensor(scale);
  const auto zeros = ConstantTensor(zero);
  if (!scales || (zero != kNoValue && !zeros) || of.shape.empty() || block < 0) return std::nullopt;
  OnnxQuantization how;
  how.scale = *scales;
  how.zero = zeros;
  const auto rank = static_cast<std::int64_t>(of.shape.size());
  const auto& shape = data_->file().tensors()[*scales].shape;
  const auto elements = base::CheckedProduct(shape);
  if (elements == 1 && block == 0) return how;
  if (axis < 0) axis += rank;
  if (axis < 0 || axis >= rank) return std::nullopt;
  how.axis = of.shape[static_cast<std::size_t>(axis)];
  how.per_axis = true;
  how.block = static_cast<std::uint64_t>(block);
  const auto inner = base::CheckedProduct(std::span(of.shape).subspan(static_cast<std::size_t>(axis) + 1));
  if (!inner) return std::nullopt;
  how.inner = *inner;
  return how;
}

std::optional<OnnxWeight> OnnxGraph::Vector(OnnxValue value) const {
  value = value == kNoValue ? value : Core(value);
  if (value == kNoValue || !constants_[value]) return std::nullopt;
  const OnnxWeight& weight = *constants_[value];
  if (weight.shape.empty()) return std::nullopt;
  if (weight.shape.size() == 1) return weight;
  for (std::size_t i = 0; i + 1 < weight.shape.size(); ++i) {
    if (weight.shape[i] != 1) return std::nullopt;
  }
  OnnxWeight vector = weight;
  vector.shape = {weight.shape.back()};
  vector.strides = {weight.strides.back()};
  return vector;
}

OnnxValue OnnxGraph::Find(std::string_view name) const {
  const auto found = numbers_.find(name);
  return found == numbers_.end() ? kNoValue : found->second;
}

OnnxValue OnnxGraph::Output(std::string_view name) const {
  const auto& outputs = data_->file().outputs();
  return std::find(outputs.begin(), outputs.end(), name) == outputs.end() ? kNoValue : Find(name);
}

const GraphNode* OnnxGraph::Producer(OnnxValue value) const {
  const int index = ProducerIndex(value);
  return index < 0 ? nullptr : &nodes_[static_cast<std::size_t>(index)];
}

const GraphNode* OnnxGraph::Producer(OnnxValue value, std::string_view op) const {
  const GraphNode* node = value == kNoValue ? nullptr : Producer(Core(value));
  return node != nullptr && node->Is(op) ? node : nullptr;
}

OnnxValue OnnxGraph::Core(OnnxValue value) const {
  for (int i = 0; i < kMaxCopies; ++i) {
    const GraphNode* node = Producer(value);
    if (node == nullptr || node->input(0) == kNoValue || constants_[value]) return value;
    if (node->Is("DequantizeLinear")) {
      const GraphNode* quantize = Producer(node->inputs[0]);
      if (quantize == nullptr || !quantize->Is("QuantizeLinear") || quantize->input(0) == kNoValue) return value;
      value = quantize->inputs[0];
    } else if (node->Is("Identity") || (node->Is("Cast") && IsFloat(static_cast<OnnxType>(node->Integer("to", 0)))) ||
               (node->Is("Dropout") && node->outputs[0] == value)) {
      value = node->inputs[0];
    } else {
      return value;
    }
  }
  return value;
}

std::optional<OnnxWeight> OnnxGraph::Matrix(OnnxValue value, bool transposed) const {
  if (value == kNoValue) return std::nullopt;
  const std::optional<OnnxWeight>& weight = constants_[Core(value)];
  if (!weight || weight->shape.size() != 2) return std::nullopt;
  return transposed ? Transposed(*weight) : *weight;
}

std::optional<OnnxLinear> OnnxGraph::PlainProduct(const GraphNode& node) const {
  const bool gemm = node.Is("Gemm"), fused = node.Is("FusedMatMul");
  if (!gemm && !fused && !node.Is("MatMul")) return std::nullopt;
  if (node.input(0) == kNoValue || constants_[node.inputs[0]]) return std::nullopt;
  for (const char* flag : {"transA", "transBatchA", "transBatchB"}) {
    if (node.Integer(flag, 0) != 0) return std::nullopt;
  }
  if (node.Real("alpha", 1) != 1) return std::nullopt;
  // A product takes its weight as [inputs][outputs].
  auto weight = Matrix(node.input(1), (!gemm && !fused) || node.Integer("transB", 0) == 0);
  if (!weight) return std::nullopt;
  OnnxLinear linear{node.inputs[0], *std::move(weight), {}};
  if (gemm && node.input(2) != kNoValue) {
    linear.bias = Vector(node.inputs[2]);
    if (!linear.bias || node.Real("beta", 1) != 1) return std::nullopt;
  }
  return linear;
}

// Of what onnxruntime quantises as it runs: Cast(MatMulInteger(q, weight)) * (scale of q * scale of weight), or the one
// operator that it fuses them to.
std::optional<OnnxLinear> OnnxGraph::IntegerProduct(const GraphNode& scaled) const {
  auto linear_of = [&](OnnxValue input, OnnxValue weight, OnnxValue scale,
                       OnnxValue zero) -> std::optional<OnnxLinear> {
    if (input == kNoValue || weight == kNoValue) return std::nullopt;
    const std::optional<OnnxWeight>& stored = constants_[weight];
    if (!stored || stored->shape.size() != 2 || stored->quantization) return std::nullopt;
    OnnxWeight result = *stored;
    result.quantization = Scales(*stored, scale, zero, 1, 0);
    if (!result.quantization) return std::nullopt;
    return OnnxLinear{input, Transposed(std::move(result)), {}};
  };
  auto with_bias = [&](std::optional<OnnxLinear> linear, OnnxValue bias) -> std::optional<OnnxLinear> {
    if (!linear || bias == kNoValue) return linear;
    linear->bias = Vector(bias);
    return linear->bias ? linear : std::nullopt;
  };
  // What a quantised activation was before.
  auto unquantised = [&](OnnxValue quantised, OnnxValue scale, OnnxValue zero) -> OnnxValue {
    const GraphNode* node = Producer(quantised);
    if (node == nullptr || !node->Is("DynamicQuantizeLinear") || node->outputs.size() != 3) return kNoValue;
    if (node->outputs[0] != quantised || node->outputs[1] != scale || node->outputs[2] != zero) return kNoValue;
    return node->input(0);
  };
  if (scaled.Is("DynamicQuantizeMatMul")) {
    return with_bias(linear_of(scaled.input(0), scaled.input(1), scaled.input(2), scaled.input(3)), scaled.input(4));
  }
  if (scaled.Is("MatMulIntegerToFloat")) {
    const OnnxValue input = unquantised(scaled.input(0), scaled.input(2), scaled.input(4));
    return with_bias(linear_of(input, scaled.input(1), scaled.input(3), scaled.input(5)), scaled.input(6));
  }
  if (!scaled.Is("Mul")) return std::nullopt;
  for (std::size_t side = 0; side < 2; ++side) {
    const GraphNode* product = Producer(scaled.input(side), "MatMulInteger");
    const GraphNode* scales = product == nullptr ? nullptr : Producer(scaled.input(1 - side), "Mul");
    if (scales == nullptr) continue;
    for (std::size_t first = 0; first < 2; ++first) {
      const OnnxValue input = unquantised(product->input(0), scales->input(first), product->input(2));
      if (input != kNoValue) return linear_of(input, product->input(1), scales->input(1 - first), product->input(3));
    }
  }
  return std::nullopt;
}

// com.microsoft.MatMulNBits: integers of a few bits in blocks along the inputs.
std::optional<OnnxLinear> OnnxGraph::BlockProduct(const GraphNode& node) const {
  if (!node.Is("MatMulNBits") || node.input(0) == kNoValue || node.input(4) != kNoValue) return std::nullopt;
  const std::int64_t inputs = node.Integer("K", 0), outputs = node.Integer("N", 0), bits = node.Integer("bits", 4);
  const std::int64_t block = node.Integer("block_size", 0);
  const auto weight = ConstantTensor(node.input(1)), scale = ConstantTensor(node.input(2));
  const auto zero = ConstantTensor(node.input(3));
  if (!weight || !scale || (node.input(3) != kNoValue && !zero) || inputs <= 0 || outputs <= 0 || block < 8 ||
      (bits != 2 && bits != 4 && bits != 8) || data_->file().tensors()[*weight].type != OnnxType::kUint8) {
    return std::nullopt;
  }
  OnnxLinear linear{
      node.inputs[0], Dense(*weight, {static_cast<std::uint64_t>(outputs), static_cast<std::uint64_t>(inputs)}), {}};
  OnnxQuantization how;
  how.scale = *scale;
  how.zero = zero;
  how.default_zero = 1 << (bits - 1);
  how.axis = static_cast<std::uint64_t>(inputs);
  how.block = static_cast<std::uint64_t>(block);
  how.bits = static_cast<std::uint64_t>(bits);
  linear.weight.quantization = how;
  if (node.input(5) != kNoValue) {
    linear.bias = Vector(node.inputs[5]);
    if (!linear.bias) return std::nullopt;
  }
  return linear;
}

std::optional<OnnxLinear> OnnxGraph::Product(OnnxValue value) const {
  value = value == kNoValue ? value : Core(value);
  const GraphNode* node = Producer(value);
  if (node == nullptr || constants_[value]) return std::nullopt;
  if (auto linear = PlainProduct(*node)) return linear;
  if (auto linear = BlockProduct(*node)) return linear;
  if (auto linear = IntegerProduct(*node)) return linear;
  if (!node->Is("Reshape") || node->input(0) == kNoValue) return std::nullopt;
  // A Gemm takes two dimensions: the others are merged before it and split behind.
  const GraphNode* gemm = Producer(node->inputs[0], "Gemm");
  const GraphNode* before = gemm == nullptr ? nullptr : Producer(gemm->input(0), "Reshape");
  auto linear = before == nullptr || before->input(0) == kNoValue ? std::nullopt : PlainProduct(*gemm);
  if (linear) linear->input = before->inputs[0];
  return linear;
}

std::optional<OnnxLinear> OnnxGraph::Linear(OnnxValue value) const {
  if (auto linear = Product(value)) return linear;
  const GraphNode* add = Producer(value, "Add");
  if (add == nullptr || add->inputs.size() != 2) return std::nullopt;
  for (std::size_t side = 0; side < 2; ++side) {
    auto bias = Vector(add->inputs[side]);
    auto linear = bias ? Product(add->inputs[1 - side]) : std::nullopt;
    if (!linear || linear->bias) continue;
    linear->bias = std::move(bias);
    return linear;
  }
  return std::nullopt;
}

std::optional<std::pair<OnnxWeight, OnnxValue>> GatheredRows(const OnnxGraph& graph, OnnxValue value) {
  value = graph.Core(value);
  const GraphNode* node = graph.Producer(value);
  if (node == nullptr) return std::nullopt;
  const OnnxData& data = graph.data();
  if (node->Is("Gather")) {
    if (node->Integer("axis", 0) != 0 || node->input(0) == kNoValue || node->input(1) == kNoValue) return std::nullopt;
    const auto& table = graph.Constant(graph.Core(node->inputs[0]));
    if (!table || table->shape.size() != 2) return std::nullopt;
    return std::pair(*table, node->inputs[1]);
  }
  if (node->Is("DequantizeLinear")) {
    // Rows picked first: one scale has to serve them all.
    const GraphNode* gather = graph.Producer(node->input(0));
    if (gather == nullptr || !gather->Is("Gather")) return std::nullopt;
    auto rows = GatheredRows(graph, node->inputs[0]);
    const auto scale = graph.ConstantTensor(node->input(1)), zero = graph.ConstantTensor(node->input(2));
    if (!rows || rows->first.quantization || !scale || (node->input(2) != kNoValue && !zero)) return std::nullopt;
    if (node->Integer("block_size", 0) != 0) return std::nullopt;
    const auto scales = base::CheckedProduct(data.file().tensors()[*scale].shape);
    if (scales != 1) return std::nullopt;
    rows->first.quantization = OnnxQuantization{.scale = *scale, .zero = zero};
    return rows;
  }
  if (node->Is("GatherBlockQuantized")) {
    const auto table = graph.ConstantTensor(node->input(0)), scale = graph.ConstantTensor(node->input(2));
    const auto zero = graph.ConstantTensor(node->input(3));
    if (!table || !scale || (node->input(3) != kNoValue && !zero) || node->input(1) == kNoValue) return std::nullopt;
    const OnnxTensor& tensor = data.file().tensors()[*table];
    const std::int64_t axis = node->Integer("quantize_axis", 1), block = node->Integer("block_size", 128);
    if (node->Integer("gather_axis", 0) != 0 || (axis != 1 && axis != -1) || block < 16 || tensor.shape.size() != 2) {
      return std::nullopt;
    }
    OnnxQuantization how{.scale = *scale, .zero = zero};
    std::uint64_t columns = tensor.shape[1];
    if (tensor.type == OnnxType::kUint8) {
      const std::int64_t bits = node->Integer("bits", 4);
      if (bits != 2 && bits != 4 && bits != 8) return std::nullopt;
      how.bits = static_cast<std::uint64_t>(bits);
      how.default_zero = 1 << (bits - 1);
      const auto packed = base::CheckedMul(columns, 8 / how.bits);
      if (!packed || *packed % static_cast<std::uint64_t>(block) != 0) return std::nullopt;
      columns = *packed;
    } else if (tensor.type != OnnxType::kUint4 && tensor.type != OnnxType::kInt4) {
      return std::nullopt;
    }
    how.axis = columns;
    how.block = static_cast<std::uint64_t>(block);
    OnnxWeight weight = Dense(*table, {tensor.shape[0], columns});
    weight.quantization = how;
    return std::pair(std::move(weight), node->inputs[1]);
  }
  return std::nullopt;
}

std::string OnnxGraph::Describe(OnnxValue value) const {
  const GraphNode* node = Producer(value);
  if (node == nullptr) return value == kNoValue ? "a missing input" : "value \"" + std::string(name(value)) + "\"";
  const std::string_view shown = node->proto->name.empty() ? name(value) : node->proto->name;
  return "node \"" + std::string(shown) + "\" (" + std::string(node->op()) + ")";
}

}  // namespace thimble::convert
