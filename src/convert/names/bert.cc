// BERT.

#include "convert/names/family.h"

namespace thimble::convert {
namespace {

constexpr model::NamedSize kSizes[] = {
    {"hidden_size", &model::Architecture::hidden, 1, model::kMaxHidden},
    {"num_hidden_layers", &model::Architecture::layers, 1, model::kMaxLayers},
    {"num_attention_heads", &model::Architecture::heads, 1, model::kMaxHidden},
    {"intermediate_size", &model::Architecture::intermediate, 1, model::kMaxIntermediate},
    {"max_position_embeddings", &model::Architecture::positions, 3, model::kMaxPositions},
    {"vocab_size", &model::Architecture::vocabulary, 1, model::kMaxVocabulary}};
constexpr Family::Text kRequired[] = {{"position_embedding_type", "absolute"}};
// TensorFlow's.
constexpr Family::Text kOldNames[] = {{".LayerNorm.gamma", ".LayerNorm.weight"},
                                      {".LayerNorm.beta", ".LayerNorm.bias"}};
constexpr Family::Weights kSteps[] = {
    {"qkv", {"attention.self.query", "attention.self.key", "attention.self.value"}},
    {"attention_output", {"attention.output.dense"}},
    {"attention_norm", {"attention.output.LayerNorm"}},
    {"ffn_in", {"intermediate.dense"}},
    {"ffn_out", {"output.dense"}},
    {"ffn_norm", {"output.LayerNorm"}},
};

}  // namespace

extern constexpr Family kBert = {
    .name = "bert",
    .class_prefix = "Bert",
    .sizes = kSizes,
    .required = kRequired,
    .activation = "hidden_act",
    .default_activation = "gelu",
    .epsilon = "layer_norm_eps",
    .default_epsilon = 1e-12,
    .token_types = "type_vocab_size",
    .default_token_types = 2,
    .pad_id = nullptr,
    .default_pad_id = 0,
    .prefix = "bert.",
    .old_names = kOldNames,
    .words = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .types = "embeddings.token_type_embeddings",
    .embedding_norm = "embeddings.LayerNorm",
    .layer = "encoder.layer.",
    .steps = kSteps,
    .classifier = {.dense = "pooler.dense", .activation = kernels::Activation::kTanh, .scores = "classifier"}};

}  // namespace thimble::convert
