// DistilBERT.

#include "convert/names/family.h"

namespace thimble::convert {
namespace {

constexpr model::NamedSize kSizes[] = {
    {"dim", &model::Architecture::hidden, 1, model::kMaxHidden},
    {"n_layers", &model::Architecture::layers, 1, model::kMaxLayers},
    {"n_heads", &model::Architecture::heads, 1, model::kMaxHidden},
    {"hidden_dim", &model::Architecture::intermediate, 1, model::kMaxIntermediate},
    {"max_position_embeddings", &model::Architecture::positions, 3, model::kMaxPositions},
    {"vocab_size", &model::Architecture::vocabulary, 1, model::kMaxVocabulary}};
constexpr Family::Text kOldNames[] = {{".LayerNorm.gamma", ".LayerNorm.weight"},
                                      {".LayerNorm.beta", ".LayerNorm.bias"},
                                      {"_layer_norm.gamma", "_layer_norm.weight"},
                                      {"_layer_norm.beta", "_layer_norm.bias"}};
constexpr Family::Weights kSteps[] = {
    {"qkv", {"attention.q_lin", "attention.k_lin", "attention.v_lin"}},
    {"attention_output", {"attention.out_lin"}},
    {"attention_norm", {"sa_layer_norm"}},
    {"ffn_in", {"ffn.lin1"}},
    {"ffn_out", {"ffn.lin2"}},
    {"ffn_norm", {"output_layer_norm"}},
};

}  // namespace

extern constexpr Family kDistilbert = {
    .name = "distilbert",
    .class_prefix = "DistilBert",
    .sizes = kSizes,
    .activation = "activation",
    .prefix = "distilbert.",
    .old_names = kOldNames,
    .words = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .embedding_norm = "embeddings.LayerNorm",
    .layer = "transformer.layer.",
    .steps = kSteps,
    .classifier = {.dense = "pre_classifier", .activation = kernels::Activation::kRelu, .scores = "classifier"}};

}  // namespace thimble::convert
