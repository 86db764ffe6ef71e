// The embeddings of words, positions and token types that a graph adds up.

#include <algorithm>
#include <memory>
#include <utility>

#include "base/error.h"
#include "convert/onnx_walk.h"

namespace thimble::convert {
namespace {

constexpr std::uint64_t kMaxHidden = 1 << 14;

}  // namespace

Status OnnxWalk::Embeddings(OnnxValue value, const OnnxSum& sum) {
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

Result<std::optional<OnnxWeight>*> OnnxWalk::TableOf(OnnxValue term, OnnxValue indices, const Tables& tables) {
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

std::vector<double> OnnxWalk::Positions() const {
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

bool OnnxWalk::IsIntegerCopyOf(OnnxValue value, std::string_view name) const {
  for (int i = 0; i < 8; ++i) {
    if (graph_.IsInput(value)) return graph_.name(value) == name;
    const GraphNode* node = graph_.Producer(value);
    if (node == nullptr || node->input(0) == kNoValue || (!node->Is("Cast") && !node->Is("Identity"))) return false;
    value = node->inputs[0];
  }
  return false;
}

Status OnnxWalk::AddTables(OnnxValue value, const std::optional<OnnxWeight>& words,
                           const std::optional<OnnxWeight>& positions, const std::optional<OnnxWeight>& types) {
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

Result<bool> OnnxWalk::FusedEmbeddings(OnnxValue value) {
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

}  // namespace thimble::convert
