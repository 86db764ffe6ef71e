// RoBERTa, and what has its settings and tensors: XLM-R and CamemBERT.

#include "convert/names/bert.h"

namespace thimble::convert {
namespace {

constexpr Family Named(std::string_view name, std::string_view class_prefix) {
  return {.name = name,
          .class_prefix = class_prefix,
          .sizes = kBertSizes,
          .required = kAbsolutePositions,
          .activation = "hidden_act",
          .epsilon = "layer_norm_eps",
          .token_types = "type_vocab_size",
          .default_token_types = 2,
          .pad_id = "pad_token_id",
          .default_pad_id = 1,
          .prefix = "roberta.",
          .old_names = kOldNormNames,
          .words = "embeddings.word_embeddings",
          .positions = "embeddings.position_embeddings",
          .types = "embeddings.token_type_embeddings",
          .embedding_norm = "embeddings.LayerNorm",
          .layer = "encoder.layer.",
          .steps = kBertSteps,
          .classifier = {
              .dense = "classifier.dense", .activation = kernels::Activation::kTanh, .scores = "classifier.out_proj"}};
}

}  // namespace

extern constexpr Family kRoberta = Named("roberta", "Roberta");
extern constexpr Family kXlmRoberta = Named("xlm-roberta", "XLMRoberta");
extern constexpr Family kCamembert = Named("camembert", "Camembert");

}  // namespace thimble::convert
