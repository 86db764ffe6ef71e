// Scores how well documents answer a query, with a cross-encoder: a model that reads query and document together.
//
//   auto model = thimble::Model::Open("ms-marco-MiniLM-L6-v2-q8.safetensors");
//   if (!model.ok()) return model.status();
//   auto reranker = thimble::Reranker::Create(*model);
//   if (!reranker.ok()) return reranker.status();
//   const std::string_view documents[] = {"Berlin has 3.7 million inhabitants.", "Berlin is known for its museums."};
//   float scores[2];
//   auto status = reranker->Rank("How many people live in Berlin?", documents, scores);

#ifndef THIMBLE_RERANK_H_
#define THIMBLE_RERANK_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "thimble/embedder.h"
#include "thimble/export.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::inline v0_1 {

// Options of one call.
struct RankOptions {
  // Whether scores are the outputs of the model as they are; otherwise ModelInfo::score_activation is applied to them.
  bool raw_scores = false;
  // Name of the prompt in ModelInfo::prompts before the query; unset means the model's default, empty none.
  std::optional<std::string> prompt_name = {};
  // A pair of more than max_tokens tokens loses tokens of the longer text first, or is an error. kChunk is not
  // supported: kInvalidArgument.
  LongTexts long_texts = LongTexts::kTruncate;
  std::size_t first_index = 0;  // Index of the first document in messages, for callers that pass a list in parts.
  const std::atomic<bool>* stop = nullptr;  // As VectorOptions::stop.
};

// A model with scratch memory. Thread-compatible: use one per thread, or one with `threads` > 1; see Embedder for what
// both promise. Keeps its model alive. The scores of a document do not depend on the other documents of a call, their
// order, or the number of threads.
class THIMBLE_API Reranker {
 public:
  // Reserves all scratch memory, as Embedder::MakePlan computes it for this model; max_tokens limits a pair. The errors
  // of MakePlan, kOutOfMemory if the system refuses memory, and kUnsupported for a model that scores no pairs. The
  // mocks do: a score is the cosine of their vectors of the two texts.
  static Result<Reranker> Create(std::shared_ptr<const Model> model, const EmbedderOptions& options = {});

  ~Reranker();
  Reranker(Reranker&&) noexcept;
  Reranker& operator=(Reranker&&) noexcept;

  // Scores the pair of query and documents[i] (UTF-8; invalid bytes count as U+FFFD) into scores[i * num_scores() ..];
  // `scores` has documents.size() * num_scores() floats, and `reports`, about the pairs, is empty or has one entry per
  // document. Memory does not grow with the number or length of the documents, and nothing is allocated. kIo if the
  // model file can no longer be read; kCorrupt if it was written to, or gives a score that is not finite;
  // kInvalidArgument for options that this model does not support.
  Status Rank(std::string_view query, std::span<const std::string_view> documents, std::span<float> scores,
              std::span<Report> reports = {}, const RankOptions& options = {});

  // Releases the scratch memory to the system until the next call. Does nothing during a call.
  void Release();

  // Scores of a pair: one, or as many as ModelInfo::labels.
  std::size_t num_scores() const;
  // With as many `threads` as the system granted.
  const Plan& plan() const;

 private:
  explicit Reranker(std::unique_ptr<runtime::Session> session);
  std::unique_ptr<runtime::Session> session_;
};

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_RERANK_H_
