// Turns texts into vectors with a Model.
//
//   auto embedder = thimble::Embedder::Create(*model, {.max_memory = 4 << 20});
//   if (!embedder.ok()) return embedder.status();
//   std::vector<float> vector((*model)->dimensions());
//   auto report = embedder->Embed("hello", vector);
//   if (report.ok()) std::printf("%zu tokens, first value %f\n", report->tokens, vector[0]);

#ifndef THIMBLE_EMBEDDER_H_
#define THIMBLE_EMBEDDER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "thimble/exact_cache.h"
#include "thimble/export.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::runtime {
class Session;
}

namespace thimble::inline v0_1 {

struct EmbedderOptions {
  // Worker threads for one call, 1 to 64. Vectors do not depend on it. Where the system refuses some of them, the
  // embedder works with fewer: see Embedder::plan().
  std::size_t threads = 1;
  // Limit of the tokens of a text, or of a window, special tokens included; at most the positions of the model. 0 means
  // the limit that `truncation` selects.
  std::size_t max_tokens = 0;
  Truncation truncation = Truncation::kSentenceTransformers;
  // Limit of the private bytes of model and embedder together, as in Plan; 0 means the default tile size.
  std::size_t max_memory = 0;
  // Where vectors of texts are looked up and kept; null for nowhere. Vectors do not depend on it. Mocks, and model
  // files without a fingerprint, do not use it; nor do scores and the vectors of tokens.
  std::shared_ptr<ExactCache> cache = nullptr;
};

// How to handle a text of more than max_tokens tokens.
enum class LongTexts {
  kTruncate,  // Only its first tokens are embedded.
  kError,     // kInvalidArgument; the message names the text, its number of tokens and the limit.
  // It is embedded in overlapping windows of at most max_tokens that end between words, each with the prompt. Its
  // vector is the mean of theirs, weighted by the number of tokens of the text in each, and then cut to
  // VectorOptions::dimensions and normalised.
  kChunk,
};

// "truncate", "error" or "chunk".
THIMBLE_API std::string_view LongTextsName(LongTexts long_texts);
// kInvalidArgument for any other name.
THIMBLE_API Result<LongTexts> ParseLongTexts(std::string_view name);

// Options of one call.
struct VectorOptions {
  std::optional<Pooling> pooling = {};  // Unset means the model's own; can be set only if that is one.
  std::optional<bool> normalize = {};   // Unset means the model's own.
  // Length of the vectors, from 1 to dimensions(): the first components of the model's vector, scaled to unit length
  // after the cut if vectors are normalised. For models trained for it (Matryoshka). Unset means all.
  std::optional<std::size_t> dimensions = {};
  // Name of the prompt in ModelInfo::prompts before every text; unset means the model's default, empty none. The prompt
  // is part of the text, but without ModelInfo::include_prompt its tokens are not pooled.
  std::optional<std::string> prompt_name = {};
  LongTexts long_texts = LongTexts::kTruncate;
  // Tokens that a window shares with the previous one, or up to a word fewer; at most half of a window. Unset means an
  // eighth of max_tokens.
  std::optional<std::size_t> chunk_overlap = {};
  std::size_t first_index = 0;  // Index of the first text in messages, for callers that pass a list in parts.
  // Where another thread sets it, the call soon ends with kIo, "the call was cancelled". Null for never.
  const std::atomic<bool>* stop = nullptr;
};

// The memory of a model and an embedder in bytes, known before either takes any. Private memory belongs to the process
// alone and never exceeds peak_bytes, whatever is embedded.
struct Plan {
  // The model file: shared by all processes that use it; the system can drop it. 0 for a copy.
  std::size_t mapped_bytes = 0;
  std::size_t fixed_bytes = 0;    // Private: tables, stacks, pages that the code touches, and the copy of the file.
  std::size_t scratch_bytes = 0;  // Private, per thread.
  std::size_t threads = 1;
  std::size_t peak_bytes = 0;   // fixed_bytes + threads * scratch_bytes.
  std::size_t max_tokens = 0;   // Truncation limit.
  std::size_t tile_tokens = 0;  // Most tokens that are embedded together.
};

// What happened to one text.
struct Report {
  std::size_t tokens = 0;  // Tokens embedded, prompt and special tokens included, each counted once.
  bool truncated = false;  // Whether the text had more tokens than that.
  std::size_t chunks = 1;  // Number of windows.
};

// A model with scratch memory. Thread-compatible: use one per thread, or one with `threads` > 1. Keeps its model alive.
// The vector of a text does not depend on the other texts of a batch, their order, or the number of threads.
//
// A call during the call of another thread fails with kInvalidArgument. An embedder works in the child of a fork(),
// too, where it starts its threads again, except in a child that a signal handler forks during a call. The threads of
// an embedder have all signals blocked but those of their own faults. A thread must not be cancelled (pthread_cancel)
// during a call.
class THIMBLE_API Embedder {
 public:
  // The plan of an embedder with these options; takes no memory. kInvalidArgument for options out of range;
  // kOutOfMemory if one text of `max_tokens` needs more than `max_memory`; the message states how much it needs.
  static Result<Plan> MakePlan(const Model& model, const EmbedderOptions& options = {});

  // Reserves all scratch memory. The errors of MakePlan, and kOutOfMemory if the system refuses it.
  static Result<Embedder> Create(std::shared_ptr<const Model> model, const EmbedderOptions& options = {});

  ~Embedder();
  Embedder(Embedder&&) noexcept;
  Embedder& operator=(Embedder&&) noexcept;

  // Embeds one text (UTF-8; invalid bytes count as U+FFFD) into `vector`, which has dimensions() floats, or as many as
  // `options` say. kIo if the model file can no longer be read; kCorrupt if it was written to, or gives a vector with a
  // value that is not finite; kInvalidArgument for options that this model does not support.
  Result<Report> Embed(std::string_view text, std::span<float> vector, const VectorOptions& options = {});

  // Embeds texts[i] into vectors[i * n ..], where n is dimensions() or that of `options`; `vectors` has texts.size() *
  // n floats, and `reports` is empty or has one entry per text. Memory does not grow with the number or length of
  // texts, and nothing is allocated.
  Status EmbedBatch(std::span<const std::string_view> texts, std::span<float> vectors, std::span<Report> reports = {},
                    const VectorOptions& options = {});

  // The vectors of the tokens of a text, special tokens included, neither pooled nor normalised: row t of `vectors` is
  // that of token t. plan().max_tokens * ModelInfo::token_dimensions floats suffice for any text; rows after the
  // report's tokens are not written. `stop` is as in VectorOptions. kUnsupported for a mock; otherwise the errors of
  // Embed.
  Result<Report> EmbedTokens(std::string_view text, std::span<float> vectors, const std::atomic<bool>* stop = nullptr);

  // The same for one sequence of 1 to plan().max_tokens ids, as Model::Tokenize returns them: row t of `vectors`, which
  // has ids.size() * ModelInfo::token_dimensions floats, is that of ids[t]. Every token has the token type 0.
  // kInvalidArgument for another number of ids or floats, and for an id beyond the model's vocabulary; kUnsupported for
  // a mock; kIo and kCorrupt as in Embed.
  Status EmbedIds(std::span<const std::int32_t> ids, std::span<float> vectors, const std::atomic<bool>* stop = nullptr);

  // Releases the scratch memory to the system until the next call. Does nothing during a call.
  void Release();

  std::size_t dimensions() const;
  // With as many `threads` as the system granted.
  const Plan& plan() const;

 private:
  explicit Embedder(std::unique_ptr<runtime::Session> session);
  std::unique_ptr<runtime::Session> session_;
};

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_EMBEDDER_H_
