// The table of known models. docs/models.md is made of it: scripts/models/table.py.

#include "store/known_models.h"

#include <algorithm>

#include "store/name.h"

namespace thimble::store {
namespace {

using enum KnownFamily;
using enum KnownModel::Kind;
using enum KnownModel::Languages;
using enum KnownPooling;
using enum KnownPrompts;

constexpr std::uint32_t kUncased = 30522;  // Words of bert-base-uncased.

constexpr KnownShape Small(std::uint8_t layers, std::uint32_t vocabulary = kUncased) {
  return {layers, 384, 1536, 512, vocabulary};
}
constexpr KnownShape Base(std::uint8_t layers, std::uint32_t vocabulary = kUncased) {
  return {layers, 768, 3072, 512, vocabulary};
}
constexpr KnownShape Large(std::uint8_t layers, std::uint32_t vocabulary = kUncased, std::uint16_t positions = 512) {
  return {layers, 1024, 4096, positions, vocabulary};
}
constexpr KnownShape Width(std::uint16_t hidden) { return {.hidden = hidden}; }

// Scores are means in hundredths of a percent, numbers of tasks, and means of retrieval tasks in tenths. Those over
// less than 38 English or 120 multilingual tasks are left out, because a mean depends on its tasks.
// clang-format off: a row is a few lines
constexpr KnownModel kKnownModels[] = {
    // English.
    {"sentence-transformers/all-MiniLM-L6-v2",
     {"Xenova/all-MiniLM-L6-v2", "onnx-community/all-MiniLM-L6-v2", "onnx-community/all-MiniLM-L6-v2-ONNX"},
     kBert, kEmbedding, kEnglish, Small(6),
     256, kMean, true, kNoPrompts, "apache-2.0", {5903, 41, 429}, {4164, 130, 325}},
    {"sentence-transformers/all-MiniLM-L12-v2", {"Xenova/all-MiniLM-L12-v2"}, kBert, kEmbedding, kEnglish, Small(12),
     128, kMean, true, kNoPrompts, "apache-2.0", {5795, 38, 437}, {4217, 125, 317}},
    {"sentence-transformers/paraphrase-MiniLM-L3-v2", {"Xenova/paraphrase-MiniLM-L3-v2"},
     kBert, kEmbedding, kEnglish, Small(3),
     128, kMean, false, kNoPrompts, "apache-2.0", {}, {}},
    {"sentence-transformers/paraphrase-MiniLM-L6-v2", {"Xenova/paraphrase-MiniLM-L6-v2"},
     kBert, kEmbedding, kEnglish, Small(6),
     128, kMean, false, kNoPrompts, "apache-2.0", {}, {}},
    {"sentence-transformers/multi-qa-MiniLM-L6-cos-v1", {"Xenova/multi-qa-MiniLM-L6-cos-v1"},
     kBert, kEmbedding, kEnglish, Small(6),
     512, kMean, true, kNoPrompts, "apache-2.0", {}, {}},
    {"MongoDB/mdbr-leaf-mt", {}, kBert, kEmbedding, kEnglish, Small(6).Dense(1024),
     512, kUnstated, false, kSearch, "apache-2.0", {6397, 41, 514}, {}},
    {"MongoDB/mdbr-leaf-ir", {}, kBert, kEmbedding, kEnglish, Small(6).Dense(768),
     512, kUnstated, false, kSearch, "apache-2.0", {}, {}},
    {"BAAI/bge-small-en-v1.5", {"Xenova/bge-small-en-v1.5", "onnx-community/bge-small-en-v1.5-ONNX"},
     kBert, kEmbedding, kEnglish, Small(12),
     512, kCls, true, kSearch, "mit", {6430, 41, 539}, {4401, 130, 363}},
    {"BAAI/bge-base-en-v1.5", {"Xenova/bge-base-en-v1.5"}, kBert, kEmbedding, kEnglish, Base(12),
     512, kCls, true, kSearch, "mit", {6514, 41, 548}, {4476, 130, 386}},
    {"BAAI/bge-large-en-v1.5", {"Xenova/bge-large-en-v1.5"}, kBert, kEmbedding, kEnglish, Large(24),
     512, kCls, true, kSearch, "mit", {6589, 41, 554}, {4531, 130, 390}},
    {"intfloat/e5-small-v2", {"Xenova/e5-small-v2"}, kBert, kEmbedding, kEnglish, Small(12),
     512, kMean, true, kE5, "mit", {6132, 41, 485}, {4469, 130, 394}},
    {"intfloat/e5-base-v2", {"Xenova/e5-base-v2"}, kBert, kEmbedding, kEnglish, Base(12),
     512, kMean, true, kE5, "mit", {6267, 41, 497}, {4619, 130, 405}},
    {"intfloat/e5-large-v2", {"Xenova/e5-large-v2"}, kBert, kEmbedding, kEnglish, Large(24),
     512, kMean, true, kE5, "mit", {}, {}},
    {"thenlper/gte-small", {"Xenova/gte-small", "Supabase/gte-small"}, kBert, kEmbedding, kEnglish, Small(12),
     512, kMean, true, kNoPrompts, "mit", {6322, 41, 503}, {4401, 129, 360}},
    {"thenlper/gte-base", {"Xenova/gte-base"}, kBert, kEmbedding, kEnglish, Base(12),
     512, kMean, true, kNoPrompts, "mit", {6390, 41, 519}, {4430, 129, 359}},
    {"thenlper/gte-large", {"Xenova/gte-large"}, kBert, kEmbedding, kEnglish, Large(24),
     512, kMean, true, kNoPrompts, "mit", {}, {}},
    {"Snowflake/snowflake-arctic-embed-xs", {"Xenova/snowflake-arctic-embed-xs"}, kBert, kEmbedding, kEnglish, Small(6),
     512, kCls, true, kSearch, "apache-2.0", {5977, 41, 526}, {4105, 129, 352}},
    {"Snowflake/snowflake-arctic-embed-s", {"Xenova/snowflake-arctic-embed-s"}, kBert, kEmbedding, kEnglish, Small(12),
     512, kCls, true, kSearch, "apache-2.0", {6159, 41, 549}, {4275, 129, 398}},
    {"Snowflake/snowflake-arctic-embed-m", {}, kBert, kEmbedding, kEnglish, Base(12),
     512, kCls, true, kSearch, "apache-2.0", {6109, 41, 575}, {4279, 129, 393}},
    {"Snowflake/snowflake-arctic-embed-m-v1.5", {}, kBert, kEmbedding, kEnglish, Base(12),
     512, kCls, true, kSearch, "apache-2.0", {6151, 41, 581}, {4224, 130, 387}},
    {"Snowflake/snowflake-arctic-embed-l", {}, kBert, kEmbedding, kEnglish, Large(24),
     512, kCls, true, kSearch, "apache-2.0", {}, {}},
    {"mixedbread-ai/mxbai-embed-large-v1", {}, kBert, kEmbedding, kEnglish, Large(24),
     512, kUnstated, false, kSearch, "apache-2.0", {6626, 41, 554}, {4615, 130, 403}},
    {"avsolatorio/GIST-small-Embedding-v0", {}, kBert, kEmbedding, kEnglish, Small(12),
     512, kCls, true, kNoPrompts, "mit", {6476, 41, 520}, {4412, 129, 372}},
    {"avsolatorio/GIST-Embedding-v0", {}, kBert, kEmbedding, kEnglish, Base(12),
     512, kCls, true, kNoPrompts, "mit", {6550, 41, 536}, {4490, 129, 385}},
    {"sentence-transformers/all-mpnet-base-v2", {"Xenova/all-mpnet-base-v2"},
     kMpNet, kEmbedding, kEnglish, Base(12, 30527),
     384, kMean, true, kNoPrompts, "apache-2.0", {5962, 39, 445}, {4251, 125, 323}},
    {"sentence-transformers/multi-qa-mpnet-base-dot-v1", {"Xenova/multi-qa-mpnet-base-dot-v1"},
     kMpNet, kEmbedding, kEnglish, Base(12, 30527),
     512, kCls, false, kNoPrompts, "apache-2.0", {}, {}},
    {"sentence-transformers/all-distilroberta-v1", {"Xenova/all-distilroberta-v1"},
     kRoberta, kEmbedding, kEnglish, Base(6, 50265),
     512, kMean, true, kNoPrompts, "apache-2.0", {}, {}},
    {"ibm-granite/granite-embedding-30m-english", {}, kRoberta, kEmbedding, kEnglish, Small(6, 50265),
     512, kCls, true, kNoPrompts, "apache-2.0", {6020, 41, 518}, {4271, 129, 364}},
    {"sentence-transformers/msmarco-distilbert-base-tas-b", {}, kDistilBert, kEmbedding, kEnglish, Base(6),
     512, kCls, false, kNoPrompts, "apache-2.0", {}, {}},
    // Multilingual.
    {"intfloat/multilingual-e5-small", {"Xenova/multilingual-e5-small"},
     kBert, kEmbedding, kMultilingual, Small(12, 250037),
     512, kMean, true, kE5, "mit", {5969, 41, 464}, {5559, 124, 487}},
    {"intfloat/multilingual-e5-base", {"Xenova/multilingual-e5-base"},
     kXlmRoberta, kEmbedding, kMultilingual, Base(12, 250002),
     512, kMean, true, kE5, "mit", {6100, 41, 490}, {5689, 130, 527}},
    {"intfloat/multilingual-e5-large", {"Xenova/multilingual-e5-large"},
     kXlmRoberta, kEmbedding, kMultilingual, Large(24, 250002),
     512, kMean, true, kE5, "mit", {6207, 40, 515}, {5797, 124, 510}},
    {"sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", {"Xenova/paraphrase-multilingual-MiniLM-L12-v2"},
     kBert, kEmbedding, kMultilingual, Small(12, 250037),
     128, kMean, false, kNoPrompts, "apache-2.0", {5642, 41, 359}, {4890, 130, 366}},
    {"sentence-transformers/paraphrase-multilingual-mpnet-base-v2", {"Xenova/paraphrase-multilingual-mpnet-base-v2"},
     kXlmRoberta, kEmbedding, kMultilingual, Base(12, 250002),
     128, kMean, false, kNoPrompts, "apache-2.0", {5827, 41, 371}, {5205, 130, 398}},
    {"sentence-transformers/distiluse-base-multilingual-cased-v2", {"Xenova/distiluse-base-multilingual-cased-v2"},
     kDistilBert, kEmbedding, kMultilingual, Base(6, 119547).Dense(512),
     128, kUnstated, false, kNoPrompts, "apache-2.0", {}, {}},
    {"sentence-transformers/LaBSE", {"Xenova/LaBSE"}, kBert, kEmbedding, kMultilingual, Base(12, 501153).Dense(768),
     256, kUnstated, false, kNoPrompts, "apache-2.0", {4881, 41, 181}, {5191, 130, 332}},
    {"BAAI/bge-m3", {"Xenova/bge-m3"}, kXlmRoberta, kEmbedding, kMultilingual, Large(24, 250002, 8192),
     8192, kCls, true, kNoPrompts, "mit", {}, {5915, 129, 546}},
    {"Snowflake/snowflake-arctic-embed-l-v2.0", {}, kXlmRoberta, kEmbedding, kMultilingual, Large(24, 250002, 8192),
     8192, kCls, true, kQuery, "apache-2.0", {6360, 41, 586}, {5704, 130, 584}},
    {"ibm-granite/granite-embedding-107m-multilingual", {}, kXlmRoberta, kEmbedding, kMultilingual, Small(6, 250002),
     512, kCls, true, kNoPrompts, "apache-2.0", {5876, 41, 479}, {5185, 129, 481}},
    // Rerankers.
    {"cross-encoder/ms-marco-MiniLM-L6-v2", {"cross-encoder/ms-marco-MiniLM-L-6-v2", "Xenova/ms-marco-MiniLM-L-6-v2"},
     kBert, kReranker, kEnglish, Small(6),
     512, kUnstated, false, kNoPrompts, "apache-2.0", {}, {}},
    {"cross-encoder/ms-marco-MiniLM-L12-v2", {"cross-encoder/ms-marco-MiniLM-L-12-v2"},
     kBert, kReranker, kEnglish, Small(12),
     512, kUnstated, false, kNoPrompts, "apache-2.0", {}, {}},
    {"cross-encoder/mmarco-mMiniLMv2-L12-H384-v1", {}, kXlmRoberta, kReranker, kMultilingual, Small(12, 250002),
     512, kUnstated, false, kNoPrompts, "apache-2.0", {}, {}},
    {"BAAI/bge-reranker-base", {"Xenova/bge-reranker-base"}, kXlmRoberta, kReranker, kMultilingual, Base(12, 250002),
     512, kUnstated, false, kNoPrompts, "mit", {}, {}},
    {"BAAI/bge-reranker-large", {"Xenova/bge-reranker-large"}, kXlmRoberta, kReranker, kMultilingual, Large(24, 250002),
     512, kUnstated, false, kNoPrompts, "mit", {}, {}},
    {"BAAI/bge-reranker-v2-m3", {"onnx-community/bge-reranker-v2-m3-ONNX"},
     kXlmRoberta, kReranker, kMultilingual, Large(24, 250002, 8192),
     8192, kUnstated, false, kNoPrompts, "apache-2.0", {}, {}},
    // Not supported yet.
    {"nomic-ai/nomic-embed-text-v1.5", {}, kNomicBert, kEmbedding, kEnglish, Width(768),
     8192, kUnstated, false, kNoPrompts, "apache-2.0", {6220, 41, 480}, {4434, 130, 341}},
    {"nomic-ai/nomic-embed-text-v2-moe", {}, kNomicMoe, kEmbedding, kMultilingual, Width(768),
     512, kUnstated, false, kNoPrompts, "apache-2.0", {6364, 41, 548}, {5771, 130, 572}},
    {"Alibaba-NLP/gte-base-en-v1.5", {}, kGteNew, kEmbedding, kEnglish, Width(768),
     8192, kUnstated, false, kNoPrompts, "apache-2.0", {}, {}},
    {"Alibaba-NLP/gte-multilingual-base", {"onnx-community/gte-multilingual-base"},
     kGteNew, kEmbedding, kMultilingual, Width(768),
     8192, kUnstated, false, kNoPrompts, "apache-2.0", {6251, 39, 509}, {5818, 123, 535}},
    {"Alibaba-NLP/gte-modernbert-base", {}, kModernBert, kEmbedding, kEnglish, Width(768),
     8192, kUnstated, false, kNoPrompts, "apache-2.0", {}, {}},
    {"ibm-granite/granite-embedding-small-english-r2", {}, kModernBert, kEmbedding, kEnglish, Width(384),
     8192, kUnstated, false, kNoPrompts, "apache-2.0", {6107, 41, 539}, {}},
    {"hotchpotch/bekko-embedding-v1-a25m", {}, kModernBert, kEmbedding, kMultilingual, Width(384),
     8192, kUnstated, false, kNoPrompts, "mit", {6225, 41, 497}, {5821, 130, 575}},
    {"hotchpotch/bekko-embedding-v1-a8m", {}, kModernBert, kEmbedding, kMultilingual, Width(384),
     8192, kUnstated, false, kNoPrompts, "mit", {6080, 41, 477}, {5662, 130, 563}},
    {"google/embeddinggemma-300m", {"onnx-community/embeddinggemma-300m-ONNX"},
     kGemma3, kEmbedding, kMultilingual, Width(768),
     2048, kUnstated, false, kNoPrompts, "gemma", {6967, 41, 557}, {6120, 130, 625}},
    {"Qwen/Qwen3-Embedding-0.6B", {"onnx-community/Qwen3-Embedding-0.6B-ONNX"},
     kQwen3, kEmbedding, kMultilingual, Width(1024),
     32768, kUnstated, false, kNoPrompts, "apache-2.0", {7047, 41, 618}, {6435, 130, 646}},
    {"jinaai/jina-embeddings-v2-small-en", {"Xenova/jina-embeddings-v2-small-en"},
     kJinaBert, kEmbedding, kEnglish, Width(512),
     8192, kUnstated, false, kNoPrompts, "apache-2.0", {5102, 40, 265}, {3507, 129, 135}},
    {"jinaai/jina-embeddings-v2-base-en", {"Xenova/jina-embeddings-v2-base-en"},
     kJinaBert, kEmbedding, kEnglish, Width(768),
     8192, kUnstated, false, kNoPrompts, "apache-2.0", {4597, 41, 267}, {2778, 129, 107}},
    {"jinaai/jina-embeddings-v3", {}, kJinaV3, kEmbedding, kMultilingual, Width(1024),
     8192, kUnstated, false, kNoPrompts, "cc-by-nc-4.0", {6660, 40, 543}, {5839, 130, 558}},
    {"minishlab/potion-base-8M", {}, kStatic, kEmbedding, kEnglish, Width(256),
     0, kUnstated, false, kNoPrompts, "mit", {5333, 41, 311}, {3895, 129, 286}},
    {"mixedbread-ai/mxbai-rerank-xsmall-v1", {}, kDeberta, kReranker, kEnglish, {},
     512, kUnstated, false, kNoPrompts, "apache-2.0", {}, {}},
};
// clang-format on

// Whose cards cut the LayerNorm of a vector.
constexpr std::string_view kCutLayerNorm[] = {"nomic-ai/nomic-embed-text-v1.5", "nomic-embed-text-v1.5"};

}  // namespace

std::span<const KnownModel> AllKnownModels() { return kKnownModels; }

const KnownModel* FindKnownModel(std::string_view alias) {
  for (const KnownModel& model : kKnownModels) {
    if (SameWithoutCase(alias, model.name()) || SameWithoutCase(alias, model.repository)) return &model;
    for (std::string_view other : model.copies) {
      if (!other.empty() && SameWithoutCase(alias, other)) return &model;
    }
  }
  return nullptr;
}

bool CutsLayerNorm(std::string_view alias) {
  return std::any_of(std::begin(kCutLayerNorm), std::end(kCutLayerNorm),
                     [&](std::string_view known) { return SameWithoutCase(alias, known); });
}

}  // namespace thimble::store
