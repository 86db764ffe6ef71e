// The walk from the last hidden state back to the embeddings, layer by layer, and what is checked of each.

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "base/error.h"
#include "convert/onnx_layers.h"

namespace thimble::convert {
namespace {

constexpr std::size_t kMaxLayers = 256;
constexpr std::uint64_t kMaxHidden = 1 << 14;
constexpr double kTolerance = 5e-4;  // Above what rounding a constant to 16 bits changes.

constexpr std::int64_t kTexts = OnnxProbe::kTexts, kTokens = OnnxProbe::kTokens;

// One layer as the walk finds it.
struct Layer {
  std::vector<NamedOnnxWeight> weights;  // Without those of queries, keys and values.
  OnnxValue input = kNoValue, context = kNoValue;
  std::vector<OnnxValue> projections;  // Of queries, keys and values, in any order.
  std::vector<OnnxValue> states;       // Of [texts][tokens][hidden], whose shapes masks may be made from.
};

class Walk {
 public:
  Walk(OnnxLayers* layers, const OnnxFamily& family)
      : layers_(*layers),
        names_(family.names),
        pad_id_(family.pad_id),
        graph_(layers->graph()),
        probe_(graph_, family.pad_id) {}

  Result<OnnxEncoder> Run(OnnxValue tokens) {
    std::vector<Layer> found;
    OnnxValue value = graph_.Core(tokens);
    while (true) {
      const OnnxNorm* norm = layers_.Norm(value);
      if (norm == nullptr) {
        THIMBLE_ASSIGN_OR_RETURN(const bool embeddings, FusedEmbeddings(value));
        if (embeddings) break;
        return graph_.Unsupported(value, "expected a layer norm");
      }
      OnnxSum sum = layers_.Sum(norm->terms);
      if (norm->term_bias) sum.vectors.push_back(*norm->term_bias);
      if (sum.products.empty()) {
        THIMBLE_RETURN_IF_ERROR(Embeddings(value, sum));
        THIMBLE_RETURN_IF_ERROR(AddNorm(std::string(names_.embedding_norm), value, *norm, &encoder_.weights));
        states_.push_back(value);
        states_.insert(states_.end(), norm->terms.begin(), norm->terms.end());
        break;
      }
      if (found.size() == kMaxLayers)
        return graph_.Unsupported(value, "more than ", std::to_string(kMaxLayers), " layers");
      Layer layer;
      THIMBLE_RETURN_IF_ERROR(FeedForward(value, *norm, sum, &layer));
      states_.insert(states_.end(), layer.states.begin(), layer.states.end());
      value = layer.input;
      found.push_back(std::move(layer));
    }
    if (found.empty()) return graph_.Unsupported(tokens, "no layers");
    std::reverse(found.begin(), found.end());
    for (std::size_t i = 0; i < found.size(); ++i) {
      const std::string prefix = names_.PrefixOf(i);
      THIMBLE_RETURN_IF_ERROR(Attention(prefix, found[i]));
      for (NamedOnnxWeight& one : found[i].weights) {
        encoder_.weights.push_back({prefix + one.name, std::move(one.weight)});
      }
    }
    return std::move(encoder_);
  }

 private:
  Status AddNorm(const std::string& name, OnnxValue value, const OnnxNorm& norm,
                 std::vector<NamedOnnxWeight>* weights) {
    if (norm.epsilon && encoder_.epsilon && std::fabs(*norm.epsilon - *encoder_.epsilon) > 1e-3 * *encoder_.epsilon) {
      return graph_.Unsupported(value, "layer norms with different epsilons");
    }
    if (norm.epsilon) encoder_.epsilon = norm.epsilon;
    weights->push_back({name + ".weight", norm.scale});
    weights->push_back({name + ".bias", norm.bias});
    return Status();
  }

  // The one product of a sum, with its bias, where the rest is the one value `residual`.
  Result<OnnxLinear> Residual(OnnxValue value, const OnnxSum& sum, OnnxValue* residual) {
    if (sum.products.size() != 1 || sum.others.size() != 1) {
      std::string others;
      for (OnnxValue one : sum.others) others += (others.empty() ? "" : ", ") + graph_.Describe(one);
      return graph_.Unsupported(value, "expected the norm of a matrix product and a residual, found ",
                                std::to_string(sum.products.size()), " products, and ", others);
    }
    OnnxLinear linear = sum.products[0];
    if (sum.vectors.size() + (linear.bias ? 1 : 0) != 1) {
      return graph_.Unsupported(value, "expected one bias, found ",
                                std::to_string(sum.vectors.size() + (linear.bias ? 1 : 0)));
    }
    if (!linear.bias) linear.bias = sum.vectors[0];
    *residual = sum.others[0];
    return linear;
  }

  static void AddLinear(const std::string& name, const OnnxLinear& linear, std::vector<NamedOnnxWeight>* weights) {
    weights->push_back({name + ".weight", linear.weight});
    weights->push_back({name + ".bias", *linear.bias});
  }

  void AddProjection(const std::string& prefix, std::size_t part, const OnnxLinear& linear) {
    AddLinear(prefix + names_.TensorOf("qkv", part), linear, &encoder_.weights);
  }

  // From the output of a layer to its input.
  Status FeedForward(OnnxValue value, const OnnxNorm& output_norm, const OnnxSum& output_sum, Layer* layer) {
    OnnxValue middle = kNoValue;
    THIMBLE_ASSIGN_OR_RETURN(OnnxLinear output, Residual(value, output_sum, &middle));
    THIMBLE_ASSIGN_OR_RETURN(OnnxActivated inner, layers_.Activated(output.input));
    if (!inner.linear.bias) return graph_.Unsupported(output.input, "the feed-forward matrix has no bias");
    if (graph_.Core(inner.linear.input) != middle) {
      return graph_.Unsupported(value, "the residual is not what the feed-forward matrix takes");
    }
    if (!encoder_.activation.empty() && encoder_.activation != inner.activation) {
      return graph_.Unsupported(value, "layers with different activations");
    }
    encoder_.activation = inner.activation;
    AddLinear(names_.TensorOf("ffn_in"), inner.linear, &layer->weights);
    AddLinear(names_.TensorOf("ffn_out"), output, &layer->weights);
    THIMBLE_RETURN_IF_ERROR(AddNorm(names_.TensorOf("ffn_norm"), value, output_norm, &layer->weights));

    const OnnxNorm* norm = layers_.Norm(middle);
    if (norm == nullptr) return graph_.Unsupported(middle, "expected the layer norm of an attention");
    OnnxSum sum = layers_.Sum(norm->terms);
    if (norm->term_bias) sum.vectors.push_back(*norm->term_bias);
    THIMBLE_ASSIGN_OR_RETURN(const OnnxLinear dense, Residual(middle, sum, &layer->input));
    AddLinear(names_.TensorOf("attention_output"), dense, &layer->weights);
    THIMBLE_RETURN_IF_ERROR(AddNorm(names_.TensorOf("attention_norm"), middle, *norm, &layer->weights));
    layer->context = graph_.Core(dense.input);
    layer->states = {value, middle, layer->input};
    for (const OnnxNorm* one : {&output_norm, norm}) {
      layer->states.insert(layer->states.end(), one->terms.begin(), one->terms.end());
    }
    return Status();
  }

  // Words, positions and token types.

  Status Embeddings(OnnxValue value, const OnnxSum& sum) {
    std::optional<OnnxWeight> words, positions, types;
    // Words first: positions may be counted by the shape of their rows.
    std::vector<OnnxValue> terms = sum.others;
    std::stable_partition(terms.begin(), terms.end(), [&](OnnxValue term) {
      const auto rows = GatheredRows(graph_, term);
      return rows && IsIntegerCopyOf(rows->second, "input_ids");
    });
    for (OnnxValue term : terms) {
      auto rows = GatheredRows(graph_, term);
      if (!rows) return graph_.Unsupported(term, "expected rows picked from a table of embeddings");
      THIMBLE_ASSIGN_OR_RETURN(std::optional<OnnxWeight> * table,
                               TableOf(term, rows->second, {&words, &positions, &types}));
      if (*table) return graph_.Unsupported(term, "a second table of that kind");
      *table = std::move(rows->first);
      states_.push_back(term);
    }
    // The row of token type 0, where it was added as a constant.
    if (!types && sum.vectors.size() == 1 && !names_.types.empty()) {
      types = sum.vectors[0];
      types->shape.insert(types->shape.begin(), 1);
      types->strides.insert(types->strides.begin(), 0);
    } else if (!sum.vectors.empty()) {
      return graph_.Unsupported(value, "a constant is added to the embeddings");
    }
    return AddTables(value, words, positions, types);
  }

  struct Tables {
    std::optional<OnnxWeight>*words, *positions, *types;
  };
  // Which table these indices pick rows of.
  Result<std::optional<OnnxWeight>*> TableOf(OnnxValue term, OnnxValue indices, const Tables& tables) {
    if (IsIntegerCopyOf(indices, "input_ids")) return tables.words;
    if (IsIntegerCopyOf(indices, "token_type_ids")) {
      encoder_.takes_types = true;
      return tables.types;
    }
    OnnxEvaluator evaluator = layers_.Evaluator();
    probe_.SetInputs(&evaluator);
    if (*tables.words) {
      const auto hidden = static_cast<std::int64_t>(std::min((*tables.words)->shape[1], kMaxHidden));
      const auto any = std::make_shared<const OnnxArray>(OnnxLayers::Noise({kTexts, kTokens, hidden}, 1));
      for (OnnxValue state : states_) evaluator.Set(state, any);
    }
    const OnnxArray* picked = evaluator.Evaluate(indices);
    if (picked == nullptr) {
      return graph_.Unsupported(evaluator.failed(), "as a part of embedding indices: ", evaluator.failure());
    }
    const std::vector<double> positions = Positions();
    bool zeros = !picked->data.empty(), counting = zeros && positions.size() % picked->data.size() == 0;
    // Positions that do not depend on ids may be those of one text.
    if (picked->size() < (pad_id_ ? kTexts : 1) * kTokens) counting = false;
    for (std::size_t i = 0; i < picked->data.size(); ++i) {
      zeros &= picked->data[i] == 0;
      counting = counting && picked->data[i] == positions[i];
    }
    if (zeros) return tables.types;
    if (counting) return tables.positions;
    return graph_.Unsupported(
        term, "picks rows that are neither those of input_ids, nor positions from ",
        pad_id_ ? "that behind the pad token's, id " + std::to_string(*pad_id_) + ", on, without pad tokens" : "0 on",
        ", nor those of one token type");
  }

  // The rows of a checkpoint's table that the tokens of the probe's texts take.
  std::vector<double> Positions() const {
    std::vector<double> rows;
    model::Architecture architecture;
    architecture.pad_id = pad_id_;
    for (std::int64_t text = 0; text < kTexts; ++text) {
      model::PositionRows positions(architecture);
      for (std::int64_t i = 0; i < kTokens; ++i) {
        rows.push_back(positions.Next(probe_.id(text, i)) + pad_id_.value_or(0));
      }
    }
    return rows;
  }

  // Whether the values are those of this input, with nothing but a change of type in between.
  bool IsIntegerCopyOf(OnnxValue value, std::string_view name) const {
    for (int i = 0; i < 8; ++i) {
      if (graph_.IsInput(value)) return graph_.name(value) == name;
      const GraphNode* node = graph_.Producer(value);
      if (node == nullptr || node->input(0) == kNoValue || (!node->Is("Cast") && !node->Is("Identity"))) return false;
      value = node->inputs[0];
    }
    return false;
  }

  Status AddTables(OnnxValue value, const std::optional<OnnxWeight>& words, const std::optional<OnnxWeight>& positions,
                   const std::optional<OnnxWeight>& types) {
    const bool typed = !names_.types.empty();
    if (!words || !positions || typed != types.has_value()) {
      return graph_.Unsupported(value, "expected the sum of embeddings of words", typed ? ", " : " and ", "positions",
                                typed ? " and token types" : "", ", found ", words ? "" : "no ", "words, ",
                                positions ? "" : "no ", "positions, ", types ? "" : "no ", "token types");
    }
    encoder_.hidden = words->shape[1];
    if (encoder_.hidden == 0 || encoder_.hidden > kMaxHidden || positions->shape[1] != encoder_.hidden ||
        (types && types->shape[1] != encoder_.hidden)) {
      return graph_.Unsupported(value, "embeddings of different or impossible widths");
    }
    encoder_.weights.push_back({std::string(names_.words) + ".weight", *words});
    encoder_.weights.push_back({std::string(names_.positions) + ".weight", *positions});
    if (types) encoder_.weights.push_back({std::string(names_.types) + ".weight", *types});
    return Status();
  }

  // com.microsoft.EmbedLayerNormalization, the sum and its norm in one.
  Result<bool> FusedEmbeddings(OnnxValue value) {
    const GraphNode* node = graph_.Producer(value);
    if (node == nullptr || !node->Is("EmbedLayerNormalization") || node->outputs[0] != value) return false;
    auto table = [&](std::size_t i) -> std::optional<OnnxWeight> {
      if (node->input(i) == kNoValue) return std::nullopt;
      const auto& weight = graph_.Constant(node->inputs[i]);
      return weight && weight->shape.size() == 2 ? weight : std::nullopt;
    };
    std::optional<OnnxWeight> words, positions, types;
    const Tables tables = {&words, &positions, &types};
    if (node->input(0) == kNoValue) return graph_.Unsupported(value, "no input_ids");
    THIMBLE_ASSIGN_OR_RETURN(const auto* of_ids, TableOf(value, node->inputs[0], tables));
    if (node->input(1) != kNoValue) {
      THIMBLE_ASSIGN_OR_RETURN(const auto* of_types, TableOf(value, node->inputs[1], tables));
      if (of_types != &types) return graph_.Unsupported(value, "its segments are no token types");
    }
    if (node->input(8) != kNoValue) {
      THIMBLE_ASSIGN_OR_RETURN(const auto* of_positions, TableOf(value, node->inputs[8], tables));
      if (of_positions != &positions) return graph_.Unsupported(value, "its positions are none");
    } else if (pad_id_) {
      return graph_.Unsupported(value, "positions from 0 on, although the model's begin behind its pad token");
    }
    if (of_ids != &words) return graph_.Unsupported(value, "its first input is not input_ids");
    words = table(2), positions = table(3), types = table(4);
    const auto scale = graph_.Vector(node->input(5)), bias = graph_.Vector(node->input(6));
    if (!scale || !bias) return graph_.Unsupported(value, "its norm is not constant");
    THIMBLE_RETURN_IF_ERROR(AddTables(value, words, positions, types));
    const OnnxNorm norm{{}, {}, *scale, *bias, node->Real("epsilon", 1e-12f)};
    THIMBLE_RETURN_IF_ERROR(AddNorm(std::string(names_.embedding_norm), value, norm, &encoder_.weights));
    states_.push_back(value);
    return true;
  }

  // Attention.

  Status Attention(const std::string& prefix, const Layer& layer) {
    const OnnxValue context = layer.context;
    const GraphNode* node = graph_.Producer(context);
    if (node != nullptr && node->Is("Attention") && node->proto->domain == "com.microsoft") {
      return FusedAttention(prefix, layer, *node);
    }
    if (node != nullptr && node->Is("MultiHeadAttention")) return MultiHeadAttention(prefix, layer, *node);
    const auto found = layers_.ProductsBehind(context, {layer.input});
    std::vector<OnnxLinear> linears;
    for (OnnxValue one : found.value_or(std::vector<OnnxValue>())) linears.push_back(*graph_.Linear(one));
    if (linears.size() != 3) {
      return graph_.Unsupported(context, "in ", prefix, " expected an attention of three matrix products, found ",
                                std::to_string(linears.size()));
    }
    for (const OnnxLinear& linear : linears) {
      THIMBLE_RETURN_IF_ERROR(CheckProjection(context, layer, linear));
    }
    if (names_.buckets != nullptr && !buckets_) {
      THIMBLE_ASSIGN_OR_RETURN(buckets_,
                               FindOnnxBuckets(&layers_, *names_.buckets, context, *found, states_, encoder_.hidden));
      encoder_.heads = buckets_->table.shape[1];
      encoder_.weights.push_back({std::string(names_.buckets->tensor) + ".weight", buckets_->table});
    }
    OnnxEvaluator evaluator = layers_.Evaluator();
    probe_.SetInputs(&evaluator);
    const auto hidden = static_cast<std::int64_t>(encoder_.hidden);
    const std::vector<std::int64_t> shape = {kTexts, kTokens, hidden};
    const auto any = std::make_shared<const OnnxArray>(OnnxLayers::Noise(shape, 1));
    for (OnnxValue state : states_) evaluator.Set(state, any);
    std::vector<OnnxArray> arrays;
    for (std::uint32_t i = 0; i < 3; ++i) {
      arrays.push_back(OnnxLayers::Noise(shape, 21 + i));
      evaluator.Set((*found)[i], arrays[i]);
    }
    const OnnxArray* result = evaluator.Evaluate(context);
    if (result == nullptr) {
      return graph_.Unsupported(evaluator.failed(), "in ", prefix, " as a part of attention: ", evaluator.failure());
    }
    if (result->shape != shape) return graph_.Unsupported(context, "in ", prefix, " an attention of another shape");
    for (std::uint64_t heads = encoder_.heads != 0 ? encoder_.heads : 1; heads <= encoder_.hidden; ++heads) {
      if (encoder_.hidden % heads != 0) continue;
      int order[] = {0, 1, 2};
      do {
        if (!SameAsAttention(arrays[order[0]], arrays[order[1]], arrays[order[2]], heads, *result)) continue;
        encoder_.heads = heads;
        for (std::size_t part = 0; part < 3; ++part) AddProjection(prefix, part, linears[order[part]]);
        return Status();
      } while (std::next_permutation(order, order + 3));
      if (encoder_.heads != 0) break;
    }
    return graph_.Unsupported(context, "in ", prefix,
                              " computes another attention than softmax(Q K^T / sqrt(head size) + mask",
                              buckets_ ? " + bias" : "", ") V");
  }

  Status CheckProjection(OnnxValue context, const Layer& layer, const OnnxLinear& linear) const {
    if (graph_.Core(linear.input) != layer.input || !linear.bias || linear.weight.shape[0] != encoder_.hidden) {
      return graph_.Unsupported(context, "expected queries, keys and values made from the layer's input, with biases");
    }
    return Status();
  }

  bool SameAsAttention(const OnnxArray& q, const OnnxArray& k, const OnnxArray& v, std::uint64_t heads,
                       const OnnxArray& result) const {
    const auto hidden = static_cast<std::size_t>(encoder_.hidden), size = hidden / static_cast<std::size_t>(heads);
    auto at = [&](std::int64_t text, std::int64_t token, std::size_t i) {
      return static_cast<std::size_t>(text * kTokens + token) * hidden + i;
    };
    for (std::int64_t text = 0; text < kTexts; ++text) {
      const std::int64_t length = probe_.length(text);
      for (std::int64_t row = 0; row < length; ++row) {
        for (std::size_t head = 0; head < hidden; head += size) {
          double scores[kTokens] = {}, sum = 0;
          for (std::int64_t j = 0; j < length; ++j) {
            for (std::size_t i = head; i < head + size; ++i)
              scores[j] += q.data[at(text, row, i)] * k.data[at(text, j, i)];
            scores[j] /= std::sqrt(static_cast<double>(size));
            if (buckets_) scores[j] += buckets_->values[names_.buckets->RowOf(j - row) * heads + head / size];
            scores[j] = std::exp(scores[j]);
            sum += scores[j];
          }
          for (std::size_t i = head; i < head + size; ++i) {
            double expected = 0;
            for (std::int64_t j = 0; j < length; ++j) expected += scores[j] / sum * v.data[at(text, j, i)];
            if (!(std::fabs(result.data[at(text, row, i)] - expected) <= kTolerance)) return false;
          }
        }
      }
    }
    return true;
  }

  // Fused attention is read without a bias.
  Status CheckNoBuckets(OnnxValue context) const {
    if (names_.buckets == nullptr) return Status();
    return graph_.Unsupported(context,
                              "a bias of attention is not read from this operator; take the graph before it was ",
                              "optimised, or other weights");
  }

  Status SetHeads(OnnxValue context, const GraphNode& node) {
    const std::int64_t heads = node.Integer("num_heads", 0);
    if (heads <= 0 || encoder_.hidden % static_cast<std::uint64_t>(heads) != 0 ||
        (encoder_.heads != 0 && encoder_.heads != static_cast<std::uint64_t>(heads))) {
      return graph_.Unsupported(context, "an impossible number of heads: ", std::to_string(heads));
    }
    encoder_.heads = static_cast<std::uint64_t>(heads);
    const double usual = 1 / std::sqrt(static_cast<double>(encoder_.hidden) / static_cast<double>(heads));
    const double scale = node.Real("scale", 0);
    if (scale != 0 && !(std::fabs(scale - usual) <= kTolerance * usual)) {
      return graph_.Unsupported(context, "a scale other than 1 / sqrt(head size)");
    }
    if (node.Integer("unidirectional", 0) != 0 || node.Integer("do_rotary", 0) != 0) {
      return graph_.Unsupported(context, "unidirectional or rotary attention");
    }
    return Status();
  }

  // Whether `mask` marks the tokens that count: one number for each, or their number for each text.
  Status CheckMask(OnnxValue context, OnnxValue mask) {
    if (mask == kNoValue && !probe_.masked()) return Status();
    const GraphNode* node = graph_.Producer(mask);
    if (node != nullptr && node->Is("EmbedLayerNormalization") && node->outputs.size() > 1 &&
        node->outputs[1] == mask && IsIntegerCopyOf(node->input(7), "attention_mask")) {
      return Status();
    }
    OnnxEvaluator evaluator = layers_.Evaluator();
    probe_.SetInputs(&evaluator);
    const OnnxArray* array = mask == kNoValue ? nullptr : evaluator.Evaluate(mask);
    if (array != nullptr && (array->size() == kTexts || array->shape == std::vector{kTexts, kTokens})) {
      const std::int64_t each = array->size() / kTexts;
      bool same = true;
      for (std::int64_t i = 0; i < array->size(); ++i) {
        const std::int64_t length = probe_.length(i / each);
        const std::int64_t expected = each == 1 ? length : i % kTokens < length ? 1 : 0;
        same &= array->data[static_cast<std::size_t>(i)] == static_cast<double>(expected);
      }
      if (same) return Status();
    }
    return graph_.Unsupported(context, "its mask is not attention_mask");
  }

  // com.microsoft.Attention: queries, keys and values side by side in one matrix.
  Status FusedAttention(const std::string& prefix, const Layer& layer, const GraphNode& node) {
    THIMBLE_RETURN_IF_ERROR(CheckNoBuckets(layer.context));
    THIMBLE_RETURN_IF_ERROR(SetHeads(layer.context, node));
    THIMBLE_RETURN_IF_ERROR(CheckMask(layer.context, node.input(3)));
    const auto& packed = node.input(1) == kNoValue ? std::optional<OnnxWeight>() : graph_.Constant(node.inputs[1]);
    const auto bias = graph_.Vector(node.input(2));
    for (std::size_t i = 4; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != kNoValue) return graph_.Unsupported(layer.context, "a bias of positions, or a past");
    }
    const std::uint64_t hidden = encoder_.hidden;
    if (node.input(0) == kNoValue || graph_.Core(node.inputs[0]) != layer.input || !packed || !bias ||
        packed->quantization || packed->shape != std::vector{hidden, 3 * hidden} || bias->shape[0] != 3 * hidden ||
        node.Find("qkv_hidden_sizes") != nullptr) {
      return graph_.Unsupported(layer.context, "expected one matrix for queries, keys and values of the layer's input");
    }
    for (std::uint64_t i = 0; i < 3; ++i) {
      OnnxWeight weight = Transposed(*packed);
      weight.shape[0] = hidden;
      weight.offset += i * hidden * weight.strides[0];
      AddProjection(prefix, i, {layer.input, weight, PartOf(*bias, i)});
    }
    return Status();
  }

  // One third of a vector of 3 * hidden.
  OnnxWeight PartOf(OnnxWeight vector, std::uint64_t part) const {
    vector.shape[0] = encoder_.hidden;
    vector.offset += part * encoder_.hidden * vector.strides[0];
    return vector;
  }

  // com.microsoft.MultiHeadAttention: queries, keys and values are given, their biases apart.
  Status MultiHeadAttention(const std::string& prefix, const Layer& layer, const GraphNode& node) {
    THIMBLE_RETURN_IF_ERROR(CheckNoBuckets(layer.context));
    THIMBLE_RETURN_IF_ERROR(SetHeads(layer.context, node));
    THIMBLE_RETURN_IF_ERROR(CheckMask(layer.context, node.input(4)));
    for (std::size_t i = 5; i < node.inputs.size(); ++i) {
      if (node.inputs[i] != kNoValue) return graph_.Unsupported(layer.context, "a bias of positions, or a past");
    }
    const auto bias = graph_.Vector(node.input(3));
    if (bias && (bias->shape[0] != 3 * encoder_.hidden || bias->quantization)) {
      return graph_.Unsupported(layer.context, "a bias of another length");
    }
    for (std::size_t i = 0; i < 3; ++i) {
      auto linear = graph_.Linear(node.input(i));
      if (!linear || (linear->bias && bias)) return graph_.Unsupported(layer.context, "expected matrix products");
      if (bias) linear->bias = PartOf(*bias, i);
      THIMBLE_RETURN_IF_ERROR(CheckProjection(layer.context, layer, *linear));
      AddProjection(prefix, i, *linear);
    }
    return Status();
  }

  OnnxLayers& layers_;
  const Family& names_;
  const std::optional<std::int32_t> pad_id_;
  const OnnxGraph& graph_;
  const OnnxProbe probe_;
  OnnxEncoder encoder_;
  std::vector<OnnxValue> states_;
  std::optional<OnnxBuckets> buckets_;  // Where the family has them.
};

}  // namespace

Result<OnnxEncoder> FindOnnxEncoder(OnnxLayers* layers, OnnxValue tokens, const OnnxFamily& family) {
  return Walk(layers, family).Run(tokens);
}

}  // namespace thimble::convert
