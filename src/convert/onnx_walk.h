// The walk from the last hidden state of a graph back to the embeddings, layer by layer, and what is checked of each.

#ifndef THIMBLE_CONVERT_ONNX_WALK_H_
#define THIMBLE_CONVERT_ONNX_WALK_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "convert/onnx_layers.h"

namespace thimble::convert {

// For one call of Run. What it is made of must outlive it.
class OnnxWalk {
 public:
  OnnxWalk(OnnxLayers* layers, const OnnxFamily& family)
      : layers_(*layers),
        names_(family.names),
        pad_id_(family.pad_id),
        graph_(layers->graph()),
        probe_(graph_, family.pad_id) {}

  // As FindOnnxEncoder.
  Result<OnnxEncoder> Run(OnnxValue tokens);

 private:
  static constexpr std::int64_t kTexts = OnnxProbe::kTexts, kTokens = OnnxProbe::kTokens;

  // One layer as the walk finds it.
  struct Layer {
    std::vector<NamedOnnxWeight> weights;  // Without those of queries, keys and values.
    OnnxValue input = kNoValue, context = kNoValue;
    std::vector<OnnxValue> states;  // Of [texts][tokens][hidden], whose shapes masks may be made from.
  };

  // onnx_encoder.cc: layers.
  Status AddNorm(const std::string& name, OnnxValue value, const OnnxNorm& norm, std::vector<NamedOnnxWeight>* weights);
  // The one product of a sum, with its bias, where the rest is the one value `residual`.
  Result<OnnxLinear> Residual(OnnxValue value, const OnnxSum& sum, OnnxValue* residual);
  static void AddLinear(const std::string& name, const OnnxLinear& linear, std::vector<NamedOnnxWeight>* weights);
  void AddProjection(const std::string& prefix, std::size_t part, const OnnxLinear& linear);
  // From the output of a layer to its input.
  Status FeedForward(OnnxValue value, const OnnxNorm& output_norm, const OnnxSum& output_sum, Layer* layer);

  // onnx_embeddings.cc: words, positions and token types.
  struct Tables {
    std::optional<OnnxWeight>*words, *positions, *types;
  };
  Status Embeddings(OnnxValue value, const OnnxSum& sum);
  // Which table these indices pick rows of.
  Result<std::optional<OnnxWeight>*> TableOf(OnnxValue term, OnnxValue indices, const Tables& tables);
  // The rows of a checkpoint's table that the tokens of the probe's texts take.
  std::vector<double> Positions() const;
  // Whether the values are those of this input, with nothing but a change of type in between.
  bool IsIntegerCopyOf(OnnxValue value, std::string_view name) const;
  Status AddTables(OnnxValue value, const std::optional<OnnxWeight>& words, const std::optional<OnnxWeight>& positions,
                   const std::optional<OnnxWeight>& types);
  // com.microsoft.EmbedLayerNormalization, the sum and its norm in one.
  Result<bool> FusedEmbeddings(OnnxValue value);

  // onnx_attention.cc: queries, keys and values.
  Status Attention(const std::string& prefix, const Layer& layer);
  Status CheckProjection(OnnxValue context, const Layer& layer, const OnnxLinear& linear) const;
  bool SameAsAttention(const OnnxArray& q, const OnnxArray& k, const OnnxArray& v, std::uint64_t heads,
                       const OnnxArray& result) const;
  // Fused attention is read without a bias.
  Status CheckNoBuckets(OnnxValue context) const;
  Status SetHeads(OnnxValue context, const GraphNode& node);
  // Whether `mask` marks the tokens that count: one number for each, or their number for each text.
  Status CheckMask(OnnxValue context, OnnxValue mask);
  // com.microsoft.Attention: queries, keys and values side by side in one matrix.
  Status FusedAttention(const std::string& prefix, const Layer& layer, const GraphNode& node);
  // One third of a vector of 3 * hidden.
  OnnxWeight PartOf(OnnxWeight vector, std::uint64_t part) const;
  // com.microsoft.MultiHeadAttention: queries, keys and values are given, their biases apart.
  Status MultiHeadAttention(const std::string& prefix, const Layer& layer, const GraphNode& node);

  OnnxLayers& layers_;
  const Family& names_;
  const std::optional<std::int32_t> pad_id_;
  const OnnxGraph& graph_;
  const OnnxProbe probe_;
  OnnxEncoder encoder_;
  std::vector<OnnxValue> states_;
  std::optional<OnnxBuckets> buckets_;  // Where the family has them.
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_ONNX_WALK_H_
