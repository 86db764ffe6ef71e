// The walk through the graph: embeddings, then layer by layer along the hidden state.

#include "convert/onnx_bert.h"

#include <algorithm>
#include <optional>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/error.h"

namespace thimble::convert {
namespace {

using Name = std::string_view;

// A constant tensor as a node takes it.
struct Constant {
  std::size_t tensor = 0;
  bool transposed = false;
};

// output = input * weight + bias.
struct Linear {
  Name input, output;
  Constant weight, bias;
  std::uint64_t outputs = 0;
};

// output = normalised input * scale + bias.
struct Norm {
  Name input, output;
  Constant scale, bias;
};

constexpr std::size_t kMaxLayers = 256;  // A graph may run in circles.
constexpr Name kMoves[] = {"Reshape", "Transpose", "Cast", "Identity", "Mul", "Div", "Unsqueeze", "Squeeze", "Dropout"};
constexpr Name kActivation[] = {"Div", "Mul", "Add", "Erf", "Gelu", "Tanh", "Pow", "Cast", "Identity"};
constexpr Name kResidual[] = {"Add", "Cast", "Identity", "Dropout"};

class Walk {
 public:
  explicit Walk(const OnnxFile& file) : file_(file) {}

  Result<std::vector<NamedWeight>> Run() {
    THIMBLE_RETURN_IF_ERROR(Index());
    THIMBLE_RETURN_IF_ERROR(Embeddings());
    if (norms_.empty()) return Unsupported("no layer norm behind the embeddings");
    const Norm* norm = &norms_.front();
    AddNorm("embeddings.LayerNorm", *norm);
    for (std::size_t layer = 0; layer <= kMaxLayers; ++layer) {
      std::vector<const Linear*> found;
      for (const Linear& linear : linears_) {
        if (linear.input == norm->output) found.push_back(&linear);
      }
      if (found.empty() && layer > 0) return std::move(weights_);
      const std::string prefix = "encoder.layer." + std::to_string(layer) + ".";
      if (found.size() != 3) {
        return Unsupported(prefix, ": expected three matrices for queries, keys and values, found ", found.size());
      }
      THIMBLE_ASSIGN_OR_RETURN(Name context, Attention(prefix, found));
      THIMBLE_ASSIGN_OR_RETURN(norm, Dense(prefix + "attention.output.", context, kMoves));
      const Linear* inner = nullptr;
      for (const Linear& linear : linears_) {
        if (linear.input == norm->output) inner = &linear;
      }
      if (inner == nullptr) return Unsupported(prefix, ": no feed-forward matrix");
      AddLinear(prefix + "intermediate.dense", *inner);
      THIMBLE_ASSIGN_OR_RETURN(norm, Dense(prefix + "output.", inner->output, kActivation));
    }
    return Unsupported("more than ", kMaxLayers, " layers");
  }

 private:
  template <typename... Parts>
  Status Unsupported(const Parts&... parts) const {
    return Error(Code::kUnsupported, file_.path(), ": ", parts...);
  }

  const OnnxTensor& TensorOf(const Constant& constant) const { return file_.tensors()[constant.tensor]; }

  // Who makes and takes each tensor; then the matrices and norms.
  Status Index() {
    const auto& tensors = file_.tensors();
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      if (!tensors[i].name.empty()) constants_[tensors[i].name] = {i, false};
    }
    for (const OnnxNode& node : file_.nodes()) {
      for (Name fused :
           {"Attention", "MultiHeadAttention", "SkipLayerNormalization", "EmbedLayerNormalization", "MatMulInteger",
            "DynamicQuantizeLinear", "DequantizeLinear", "QLinearMatMul", "MatMulNBits"}) {
        if (node.op == fused) {
          return Unsupported("operator ", fused,
                             ": the file is quantised or fused; take the plain export, onnx/model.onnx");
        }
      }
      for (Name output : node.outputs) producers_[output] = &node;
      for (Name input : node.inputs) consumers_[input].push_back(&node);
      if (node.outputs.empty()) continue;
      if (node.constant >= 0) constants_[node.outputs[0]] = {static_cast<std::size_t>(node.constant), false};
      if (node.inputs.empty()) continue;
      auto constant = constants_.find(node.inputs[0]);
      if (constant == constants_.end()) continue;
      if (node.op == "Identity" || node.op == "Cast") constants_[node.outputs[0]] = constant->second;
      if (node.op == "Transpose" && TensorOf(constant->second).shape.size() == 2) {
        constants_[node.outputs[0]] = {constant->second.tensor, !constant->second.transposed};
      }
    }
    for (const OnnxNode& node : file_.nodes()) {
      AddIfLinear(node);
      AddIfNorm(node);
    }
    return Status();
  }

  std::optional<Constant> ConstantOf(Name name, std::size_t rank) const {
    auto found = constants_.find(name);
    if (found == constants_.end() || TensorOf(found->second).shape.size() != rank) return std::nullopt;
    return found->second;
  }

  // The other one of two inputs, where one is a constant vector.
  struct WithVector {
    Constant vector;
    Name other;
  };
  std::optional<WithVector> SplitVector(const OnnxNode& node) const {
    if (node.inputs.size() != 2) return std::nullopt;
    for (std::size_t i = 0; i < 2; ++i) {
      if (auto vector = ConstantOf(node.inputs[i], 1)) return WithVector{*vector, node.inputs[1 - i]};
    }
    return std::nullopt;
  }

  void AddIfLinear(const OnnxNode& node) {
    if (node.inputs.size() < 2 || node.outputs.empty()) return;
    if (node.op != "MatMul" && node.op != "Gemm") return;
    std::optional<Constant> weight = ConstantOf(node.inputs[1], 2);
    if (!weight) return;
    const bool gemm = node.op == "Gemm";
    // A product has the weight as [inputs, outputs].
    if (!gemm || node.trans_b == 0) weight->transposed = !weight->transposed;
    const auto& shape = TensorOf(*weight).shape;
    Linear linear{node.inputs[0], node.outputs[0], *weight, {}, shape[weight->transposed ? 1 : 0]};
    if (gemm) {
      if (node.inputs.size() < 3 || node.alpha != 1 || node.beta != 1 || node.trans_a != 0) return;
      const auto bias = ConstantOf(node.inputs[2], 1);
      if (!bias) return;
      linear.bias = *bias;
      linears_.push_back(linear);
      return;
    }
    for (const OnnxNode* next : Consumers(node.outputs[0])) {
      if (next->op != "Add" || next->outputs.empty()) continue;
      const auto split = SplitVector(*next);
      if (!split) continue;
      linear.bias = split->vector;
      linear.output = next->outputs[0];
      linears_.push_back(linear);
      return;
    }
  }

  // The operator, or what it was before there was one: (x - mean) / sqrt(variance + epsilon) * scale + bias.
  void AddIfNorm(const OnnxNode& node) {
    if (node.outputs.empty()) return;
    if (node.op == "LayerNormalization" && node.inputs.size() == 3) {
      const auto scale = ConstantOf(node.inputs[1], 1), bias = ConstantOf(node.inputs[2], 1);
      if (scale && bias) norms_.push_back({node.inputs[0], node.outputs[0], *scale, *bias});
      return;
    }
    if (node.op != "Add") return;
    const auto bias = SplitVector(node);
    if (!bias) return;
    const OnnxNode* product = Producer(bias->other, "Mul");
    const auto scale = product == nullptr ? std::nullopt : SplitVector(*product);
    if (!scale) return;
    const OnnxNode* quotient = Producer(scale->other, "Div");
    const OnnxNode* difference = quotient == nullptr ? nullptr : Producer(quotient->inputs[0], "Sub");
    if (difference != nullptr) norms_.push_back({difference->inputs[0], node.outputs[0], scale->vector, bias->vector});
  }

  const std::vector<const OnnxNode*>& Consumers(Name tensor) const {
    static const std::vector<const OnnxNode*> none;
    auto found = consumers_.find(tensor);
    return found == consumers_.end() ? none : found->second;
  }

  // The node that makes `tensor` if it has this operator and something to take.
  const OnnxNode* Producer(Name tensor, Name op) const {
    auto found = producers_.find(tensor);
    if (found == producers_.end() || found->second->op != op || found->second->inputs.empty()) return nullptr;
    return found->second;
  }

  // The tensors that `from` becomes through these operators, `from` included. What is only a shape is not followed.
  std::vector<Name> Follow(Name from, std::span<const Name> operators) const {
    std::vector<Name> names = {from};
    std::unordered_set<Name> seen = {from};
    for (std::size_t i = 0; i < names.size(); ++i) {
      for (const OnnxNode* node : Consumers(names[i])) {
        if (std::find(operators.begin(), operators.end(), node->op) == operators.end()) continue;
        if (node->op == "Reshape" && node->inputs[0] != names[i]) continue;
        for (Name output : node->outputs) {
          if (seen.insert(output).second) names.push_back(output);
        }
      }
    }
    return names;
  }

  // Word, position and token type tables: rows picked by input_ids, by token_type_ids, and by neither.
  Status Embeddings() {
    std::optional<Constant> words, types, positions;
    std::vector<Constant> others;
    for (const OnnxNode& node : file_.nodes()) {
      if (node.op != "Gather" || node.inputs.size() < 2) continue;
      const auto table = ConstantOf(node.inputs[0], 2);
      if (!table) continue;
      const Name origin = Origin(node.inputs[1]);
      if (origin == "input_ids") {
        words = table;
      } else if (origin == "token_type_ids") {
        types = table;
      } else {
        others.push_back(*table);
      }
    }
    // Of two others one is the table of a constant token type: the shorter one.
    std::sort(others.begin(), others.end(),
              [&](const Constant& a, const Constant& b) { return TensorOf(a).shape[0] < TensorOf(b).shape[0]; });
    if (!others.empty()) positions = others.back();
    if (!types && others.size() == 2) types = others.front();
    if (!words || !types || !positions) {
      return Unsupported("expected tables that input_ids, token_type_ids and positions pick rows of, found ",
                         words ? "" : "no ", "words, ", types ? "" : "no ", "token types, ", positions ? "" : "no ",
                         "positions");
    }
    weights_.push_back({"embeddings.word_embeddings.weight", words->tensor, words->transposed});
    weights_.push_back({"embeddings.position_embeddings.weight", positions->tensor, positions->transposed});
    weights_.push_back({"embeddings.token_type_embeddings.weight", types->tensor, types->transposed});
    return Status();
  }

  // The input of the graph whose values these are, where it is one.
  Name Origin(Name tensor) const {
    for (int i = 0; i < 100; ++i) {
      auto producer = producers_.find(tensor);
      if (producer == producers_.end()) return tensor;
      const OnnxNode& node = *producer->second;
      if (node.inputs.empty() || (node.op != "Cast" && node.op != "Identity" && node.op != "Reshape")) return "";
      tensor = node.inputs[0];
    }
    return "";
  }

  // Tells queries, keys and values apart by the products they go into: queries by keys, and scores by values. Returns
  // what comes out.
  Result<Name> Attention(const std::string& prefix, const std::vector<const Linear*>& found) {
    struct Place {
      const OnnxNode* product = nullptr;
      std::size_t side = 0;
    };
    std::vector<Place> places;
    for (const Linear* linear : found) {
      Place place;
      for (Name name : Follow(linear->output, kMoves)) {
        for (const OnnxNode* node : Consumers(name)) {
          if (node->op != "MatMul" || node->inputs.size() != 2 || place.product != nullptr) continue;
          place = {node, node->inputs[1] == name ? 1u : 0u};
        }
      }
      places.push_back(place);
    }
    const Linear *query = nullptr, *key = nullptr, *value = nullptr;
    Name context;
    for (std::size_t i = 0; i < 3; ++i) {
      if (places[i].product == nullptr) continue;
      bool shared = false;
      for (std::size_t j = 0; j < 3; ++j) shared |= j != i && places[j].product == places[i].product;
      if (!shared) {
        value = found[i];
        context = places[i].product->outputs.empty() ? Name() : places[i].product->outputs[0];
      } else {
        (places[i].side == 0 ? query : key) = found[i];
      }
    }
    if (query == nullptr || key == nullptr || value == nullptr || context.empty()) {
      return Unsupported(prefix, ": the products of queries, keys and values are not those of attention");
    }
    AddLinear(prefix + "attention.self.query", *query);
    AddLinear(prefix + "attention.self.key", *key);
    AddLinear(prefix + "attention.self.value", *value);
    return context;
  }

  // The matrix that `from` goes into by way of these operators, and the norm behind it.
  Result<const Norm*> Dense(const std::string& prefix, Name from, std::span<const Name> operators) {
    const std::vector<Name> names = Follow(from, operators);
    for (const Linear& linear : linears_) {
      if (std::find(names.begin(), names.end(), linear.input) == names.end()) continue;
      AddLinear(prefix + "dense", linear);
      const std::vector<Name> sums = Follow(linear.output, kResidual);
      for (const Norm& norm : norms_) {
        if (std::find(sums.begin(), sums.end(), norm.input) == sums.end()) continue;
        AddNorm(prefix + "LayerNorm", norm);
        return &norm;
      }
      return Unsupported(prefix, "dense: no layer norm behind it");
    }
    return Unsupported(prefix, "dense: no such matrix");
  }

  void AddLinear(const std::string& name, const Linear& linear) {
    weights_.push_back({name + ".weight", linear.weight.tensor, linear.weight.transposed});
    weights_.push_back({name + ".bias", linear.bias.tensor, false});
  }
  void AddNorm(const std::string& name, const Norm& norm) {
    weights_.push_back({name + ".weight", norm.scale.tensor, false});
    weights_.push_back({name + ".bias", norm.bias.tensor, false});
  }

  const OnnxFile& file_;
  std::unordered_map<Name, Constant> constants_;
  std::unordered_map<Name, const OnnxNode*> producers_;
  std::unordered_map<Name, std::vector<const OnnxNode*>> consumers_;
  std::vector<Linear> linears_;
  std::vector<Norm> norms_;
  std::vector<NamedWeight> weights_;
};

}  // namespace

Result<std::vector<NamedWeight>> FindBertWeights(const OnnxFile& file) { return Walk(file).Run(); }

}  // namespace thimble::convert
