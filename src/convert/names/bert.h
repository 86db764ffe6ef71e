// What BERT and families that descend from it spell alike.

#ifndef THIMBLE_CONVERT_NAMES_BERT_H_
#define THIMBLE_CONVERT_NAMES_BERT_H_

#include "convert/names/family.h"

namespace thimble::convert {

inline constexpr model::NamedSize kBertSizes[] = {
    {"hidden_size", &model::Architecture::hidden, 1, model::kMaxHidden},
    {"num_hidden_layers", &model::Architecture::layers, 1, model::kMaxLayers},
    {"num_attention_heads", &model::Architecture::heads, 1, model::kMaxHidden},
    {"intermediate_size", &model::Architecture::intermediate, 1, model::kMaxIntermediate},
    {"max_position_embeddings", &model::Architecture::positions, 3, model::kMaxPositions},
    {"vocab_size", &model::Architecture::vocabulary, 1, model::kMaxVocabulary}};
inline constexpr Family::Text kAbsolutePositions[] = {{"position_embedding_type", "absolute"}};
// TensorFlow's.
inline constexpr Family::Text kOldNormNames[] = {{".LayerNorm.gamma", ".LayerNorm.weight"},
                                                 {".LayerNorm.beta", ".LayerNorm.bias"}};
inline constexpr Family::Weights kBertSteps[] = {
    {"qkv", {"attention.self.query", "attention.self.key", "attention.self.value"}},
    {"attention_output", {"attention.output.dense"}},
    {"attention_norm", {"attention.output.LayerNorm"}},
    {"ffn_in", {"intermediate.dense"}},
    {"ffn_out", {"output.dense"}},
    {"ffn_norm", {"output.LayerNorm"}},
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_NAMES_BERT_H_
