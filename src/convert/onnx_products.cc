// The ways in which matrix products, and rows picked from tables, are written.

#include <utility>

#include "base/checked.h"
#include "convert/onnx_graph.h"

namespace thimble::convert {

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

}  // namespace thimble::convert
