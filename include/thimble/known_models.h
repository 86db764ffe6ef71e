// The most used embedding models and rerankers: what thimble knows of them, for choosing one.
//
//   for (const thimble::KnownModelInfo& model : thimble::KnownModels()) {
//     if (model.missing.empty() && model.bytes_q8 < 40'000'000) std::puts(std::string(model.repository).c_str());
//   }
//
// The table is part of the program; nothing here uses a file or the network.

#ifndef THIMBLE_KNOWN_MODELS_H_
#define THIMBLE_KNOWN_MODELS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "thimble/export.h"
#include "thimble/model.h"

namespace thimble::inline v0_1 {

// The score of a model in a benchmark: a mean over those tasks for which a result was published.
struct BenchmarkScore {
  double mean = 0;        // In percent.
  std::size_t tasks = 0;  // Of 41 in MTEB(eng, v2), of 130 in MTEB(Multilingual, v2) without Flores.
  double retrieval = 0;   // Mean over the retrieval tasks only; the metric of most of them is nDCG@10.
};

struct KnownModelInfo {
  std::string_view repository;           // On the Hugging Face hub, ORGANISATION/NAME.
  std::vector<std::string_view> copies;  // Other repositories that open it.
  std::string_view family;               // `model_type` of its config.json; "static" without an encoder.
  std::string_view missing;              // What thimble does not have yet and the model needs; empty if it runs.
  bool reranker = false;                 // It scores pairs of texts.
  bool multilingual = false;             // Otherwise its language is English.
  std::size_t dimensions = 0;            // Of its vectors; 0 for a reranker.
  std::size_t max_tokens = 0;            // 0 without a limit.
  // Used if its source states none, with `normalize`; unset where the source must state them.
  std::optional<Pooling> pooling;
  bool normalize = false;
  std::vector<Prompt> prompts;                      // Used if its source has none.
  std::uint64_t bytes_q8 = 0, bytes_q4 = 0;         // Of its model files, within a few percent; 0 if it does not run.
  std::string_view licence;                         // As the hub spells it.
  std::optional<BenchmarkScore> mteb_english;       // MTEB(eng, v2), where nearly all tasks have a result.
  std::optional<BenchmarkScore> mteb_multilingual;  // MTEB(Multilingual, v2), likewise.
};

// English models, multilingual models, rerankers, and models that do not run yet, in this order. The text lives as long
// as the program. Thread-safe.
THIMBLE_API std::vector<KnownModelInfo> KnownModels();

// Where the scores come from.
THIMBLE_API std::string_view BenchmarkSource();

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_KNOWN_MODELS_H_
