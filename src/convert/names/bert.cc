// BERT.

#include "convert/names/bert.h"

namespace thimble::convert {
extern constexpr Family kBert = {
    .name = "bert",
    .class_prefix = "Bert",
    .sizes = kBertSizes,
    .required = kAbsolutePositions,
    .activation = "hidden_act",
    .epsilon = "layer_norm_eps",
    .token_types = "type_vocab_size",
    .default_token_types = 2,
    .prefix = "bert.",
    .old_names = kOldNormNames,
    .words = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .types = "embeddings.token_type_embeddings",
    .embedding_norm = "embeddings.LayerNorm",
    .layer = "encoder.layer.",
    .steps = kBertSteps,
    .classifier = {.dense = "pooler.dense", .activation = kernels::Activation::kTanh, .scores = "classifier"}};

}  // namespace thimble::convert
