// The biases of attention that a graph picks by distance, told by the rows that it picks for each pair of tokens.

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "base/error.h"
#include "convert/onnx_layers.h"

namespace thimble::convert {
namespace {

constexpr std::size_t kMaxBehind = 400;
constexpr std::uint64_t kMaxRows = 1 << 10;
constexpr std::int64_t kFurther = 70;  // Tokens beyond the last bucket's beginning.

// Whether row `found` is that of a distance. Where a bucket begins, a graph's own logarithm may round to the one
// before.
bool IsRowOf(const DistanceBuckets& buckets, std::int64_t distance, double found) {
  const auto row = static_cast<double>(buckets.RowOf(distance));
  if (found == row) return true;
  const auto begins = static_cast<std::uint16_t>(std::abs(distance));
  return found == row - 1 && std::binary_search(buckets.starts.begin(), buckets.starts.end(), begins);
}

// kUnsupported unless the indices are the rows of all distances.
Status CheckRows(OnnxLayers* layers, const DistanceBuckets& buckets, OnnxValue indices,
                 const std::vector<OnnxValue>& states, std::uint64_t hidden) {
  const OnnxGraph& graph = layers->graph();
  const std::int64_t tokens = static_cast<std::int64_t>(buckets.reach()) + kFurther;
  OnnxEvaluator evaluator = layers->Evaluator();
  const OnnxArray zeros{{1, tokens}, std::vector<double>(static_cast<std::size_t>(tokens)), true};
  for (const char* name : {"input_ids", "token_type_ids", "attention_mask", "position_ids"}) {
    if (const OnnxValue input = graph.Find(name); graph.IsInput(input)) evaluator.Set(input, zeros);
  }
  const std::vector<std::int64_t> shape = {1, tokens, static_cast<std::int64_t>(hidden)};
  const auto any = std::make_shared<const OnnxArray>(OnnxLayers::Noise(shape, 1));
  for (OnnxValue state : states) evaluator.Set(state, any);
  const OnnxArray* rows = evaluator.Evaluate(indices);
  if (rows == nullptr) {
    return graph.Unsupported(evaluator.failed(), "as a part of attention's bias: ", evaluator.failure());
  }
  bool same = rows->size() == tokens * tokens;
  for (std::int64_t i = 0; same && i < rows->size(); ++i) {
    same = IsRowOf(buckets, i % tokens - i / tokens, rows->data[static_cast<std::size_t>(i)]);
  }
  return same ? Status() : graph.Unsupported(indices, "other buckets of distances than those of the model's family");
}

}  // namespace

Result<OnnxBuckets> FindOnnxBuckets(OnnxLayers* layers, const DistanceBuckets& buckets, OnnxValue context,
                                    const std::vector<OnnxValue>& ends, const std::vector<OnnxValue>& states,
                                    std::uint64_t hidden) {
  const OnnxGraph& graph = layers->graph();
  std::vector<OnnxValue> open = {graph.Core(context)};
  std::set<OnnxValue> seen(open.begin(), open.end());
  seen.insert(ends.begin(), ends.end());
  for (std::size_t i = 0; i < open.size() && i < kMaxBehind; ++i) {
    if (auto rows = GatheredRows(graph, open[i])) {
      const OnnxWeight& table = rows->first;
      if (table.shape[0] < buckets.used_rows() || table.shape[0] > kMaxRows || hidden % table.shape[1] != 0) continue;
      THIMBLE_RETURN_IF_ERROR(CheckRows(layers, buckets, rows->second, states, hidden));
      OnnxBuckets found{table, std::vector<float>(table.shape[0] * table.shape[1])};
      THIMBLE_RETURN_IF_ERROR(graph.data().Load(table));
      graph.data().Read(table, 0, found.values);
      return found;
    }
    const GraphNode* node = graph.Producer(open[i]);
    if (node == nullptr || node->Is("Shape")) continue;
    for (OnnxValue input : node->inputs) {
      if (input == kNoValue || graph.Constant(input)) continue;
      input = graph.Core(input);
      if (seen.insert(input).second) open.push_back(input);
    }
  }
  return graph.Unsupported(context, "expected an attention with a bias picked from a table of ",
                           std::to_string(buckets.used_rows()), " rows or more by the distance of key and query");
}

}  // namespace thimble::convert
