// The table of known models, and looking for a name in it.

#include "store/known_models.h"

#include "store/name.h"

namespace thimble::store {
namespace {

using enum Pooling;

constexpr KnownPrompt kSearch[] = {{"query", "Represent this sentence for searching relevant passages: "}};
constexpr KnownPrompt kE5[] = {{"query", "query: "}, {"passage", "passage: "}};

// clang-format off: a row is a line or two
constexpr KnownModel kKnownModels[] = {
    {"sentence-transformers/all-MiniLM-L6-v2", {"Xenova/all-MiniLM-L6-v2", "onnx-community/all-MiniLM-L6-v2"},
     kMean, true, 256, {}},
    {"sentence-transformers/all-MiniLM-L12-v2", {"Xenova/all-MiniLM-L12-v2"}, kMean, true, 128, {}},
    {"sentence-transformers/paraphrase-MiniLM-L3-v2", {"Xenova/paraphrase-MiniLM-L3-v2"}, kMean, false, 128, {}},
    {"sentence-transformers/multi-qa-MiniLM-L6-cos-v1", {"Xenova/multi-qa-MiniLM-L6-cos-v1"}, kMean, true, 512, {}},
    {"BAAI/bge-small-en-v1.5", {"Xenova/bge-small-en-v1.5"}, kCls, true, 512, kSearch},
    {"BAAI/bge-base-en-v1.5", {"Xenova/bge-base-en-v1.5"}, kCls, true, 512, kSearch},
    {"intfloat/e5-small-v2", {"Xenova/e5-small-v2"}, kMean, true, 512, kE5},
    {"intfloat/e5-base-v2", {"Xenova/e5-base-v2"}, kMean, true, 512, kE5},
    {"thenlper/gte-small", {"Xenova/gte-small", "Supabase/gte-small"}, kMean, true, 512, {}},
    {"thenlper/gte-base", {"Xenova/gte-base"}, kMean, true, 512, {}},
    {"Snowflake/snowflake-arctic-embed-xs", {"Xenova/snowflake-arctic-embed-xs"}, kCls, true, 512, kSearch},
    {"Snowflake/snowflake-arctic-embed-s", {"Xenova/snowflake-arctic-embed-s"}, kCls, true, 512, kSearch},
};
// clang-format on

// Whose cards cut the LayerNorm of a vector.
constexpr std::string_view kCutLayerNorm[] = {"nomic-ai/nomic-embed-text-v1.5", "nomic-embed-text-v1.5"};

}  // namespace

std::span<const KnownModel> KnownModels() { return kKnownModels; }

const KnownModel* FindKnownModel(std::string_view alias) {
  for (const KnownModel& model : kKnownModels) {
    if (SameWithoutCase(alias, model.name()) || SameWithoutCase(alias, model.repository)) return &model;
    for (std::string_view other : model.aliases()) {
      if (SameWithoutCase(alias, other)) return &model;
    }
  }
  return nullptr;
}

bool CutsLayerNorm(std::string_view alias) {
  return std::any_of(std::begin(kCutLayerNorm), std::end(kCutLayerNorm),
                     [&](std::string_view known) { return SameWithoutCase(alias, known); });
}

}  // namespace thimble::store
