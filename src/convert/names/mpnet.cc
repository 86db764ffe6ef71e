// MPNet.

#include "convert/names/bert.h"

namespace thimble::convert {
namespace {

constexpr Family::Weights kSteps[] = {
    {"qkv", {"attention.attn.q", "attention.attn.k", "attention.attn.v"}},
    {"attention_output", {"attention.attn.o"}},
    {"attention_norm", {"attention.LayerNorm"}},
    {"ffn_in", {"intermediate.dense"}},
    {"ffn_out", {"output.dense"}},
    {"ffn_norm", {"output.LayerNorm"}},
};
// Eight of one distance each, then eight up to 128 on a logarithmic scale; the model has these whatever the size of its
// table is.
constexpr std::uint16_t kStarts[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 12, 16, 23, 32, 46, 64, 91};
constexpr DistanceBuckets kBuckets = {.tensor = "encoder.relative_attention_bias",
                                      .rows = "relative_attention_num_buckets",
                                      .default_rows = 32,
                                      .starts = kStarts};

}  // namespace

extern constexpr Family kMpnet = {
    .name = "mpnet",
    .class_prefix = "MPNet",
    .sizes = kBertSizes,
    .activation = "hidden_act",
    .epsilon = "layer_norm_eps",
    .pad_id = "",
    .default_pad_id = 1,
    .prefix = "mpnet.",
    .old_names = kOldNormNames,
    .words = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .embedding_norm = "embeddings.LayerNorm",
    .layer = "encoder.layer.",
    .steps = kSteps,
    .buckets = &kBuckets,
    .classifier = {
        .dense = "classifier.dense", .activation = kernels::Activation::kTanh, .scores = "classifier.out_proj"}};

}  // namespace thimble::convert
