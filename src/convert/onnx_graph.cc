// Indexing a graph, and the ways in which constants are written.

#include "convert/onnx_graph.h"

#include <algorithm>
#include <utility>

#include "base/checked.h"
#include "base/error.h"

namespace thimble::convert {
namespace {

constexpr int kMaxCopies = 32;  // In a row.

}  // namespace

OnnxWeight Dense(std::size_t tensor, std::vector<std::uint64_t> shape) {
  OnnxWeight weight{.tensor = tensor, .shape = std::move(shape), .strides = {}, .quantization = {}};
  weight.strides.assign(weight.shape.size(), 1);
  if (weight.shape.size() == 2) weight.strides[0] = weight.shape[1];
  return weight;
}

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

std::string OnnxGraph::Describe(OnnxValue value) const {
  const GraphNode* node = Producer(value);
  if (node == nullptr) return value == kNoValue ? "a missing input" : "value \"" + std::string(name(value)) + "\"";
  const std::string_view shown = node->proto->name.empty() ? name(value) : node->proto->name;
  return "node \"" + std::string(shown) + "\" (" + std::string(node->op()) + ")";
}

}  // namespace thimble::convert
