// Turns texts into vectors with a Model.
//
//   auto embedder = thimble::Embedder::Create(*model, {.max_memory = 4 << 20});
//   if (!embedder.ok()) return embedder.status();
//   std::vector<float> vector((*model)->dimensions());
//   auto report = embedder->Embed("hello", vector);
//   if (report.ok()) std::printf("%zu tokens, first value %f\n", report->tokens, vector[0]);

#ifndef THIMBLE_EMBEDDER_H_
#define THIMBLE_EMBEDDER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble {

struct EmbedderOptions {
  std::size_t threads = 1;  // Worker threads for one call, 1 to 64. The vectors do not depend on it.
  // Most tokens of a text that are embedded together, special tokens included; 0 means what `truncation` says. At most
  // the model's positions.
  std::size_t max_tokens = 0;
  Truncation truncation = Truncation::kSentenceTransformers;
  // Most private bytes that the model and the embedder may take together, as in Plan; 0 means the default tile size.
  std::size_t max_memory = 0;
};

// What becomes of a text of more than max_tokens tokens.
enum class LongTexts {
  kTruncate,  // Only its first tokens are embedded.
  kError,     // kInvalidArgument: the message says which text it is, how many tokens it has, and the limit.
  // It is embedded in windows of at most max_tokens, each with the prompt, which overlap and end between words; its
  // vector is the mean of theirs, weighted by the tokens of the text that each has, before it is normalised.
  kChunk,
};

// "truncate", "error" or "chunk".
std::string_view LongTextsName(LongTexts long_texts);
// kInvalidArgument for any other name.
Result<LongTexts> ParseLongTexts(std::string_view name);

// Options of one call.
struct VectorOptions {
  std::optional<Pooling> pooling = {};  // Unset means the model's own; others only where that is one.
  std::optional<bool> normalize = {};   // Unset means the model's own.
  // Which of ModelInfo::prompts comes before every text; unset means the model's default, empty none. Its tokens count
  // like the text's, whose vector is that of both as one string; where the model says so, they are not pooled.
  std::optional<std::string> prompt_name = {};
  LongTexts long_texts = LongTexts::kTruncate;
  // Tokens that a window shares with the one before, or up to a word fewer, at most half of a window's own. Unset means
  // an eighth of max_tokens.
  std::optional<std::size_t> chunk_overlap = {};
  std::size_t first_index = 0;  // What messages call the first text, for a caller that passes a list in parts.
};

// The memory of a model and an embedder, in bytes, known before either takes any. Private memory is what the process
// alone has; it stays at or below peak_bytes whatever is embedded.
struct Plan {
  std::size_t mapped_bytes = 0;   // The model file: shared by all processes that use it, and the system can drop it.
  std::size_t fixed_bytes = 0;    // Private: tables, stacks, and what the code touches.
  std::size_t scratch_bytes = 0;  // Private, of one thread.
  std::size_t threads = 1;
  std::size_t peak_bytes = 0;   // fixed_bytes + threads * scratch_bytes.
  std::size_t max_tokens = 0;   // Where a text is truncated.
  std::size_t tile_tokens = 0;  // Most tokens that are embedded together.
};

// What happened to one text.
struct Report {
  std::size_t tokens = 0;  // Tokens embedded, prompt and special tokens included, however many windows had them.
  bool truncated = false;  // Whether the text had more tokens than that.
  std::size_t chunks = 1;  // Windows that it was embedded in.
};

// A model with scratch memory. Thread-compatible: use one per thread, or one with `threads` > 1. Keeps its model alive.
// The vector of a text does not depend on the other texts of a batch, their order, or the number of threads.
class Embedder {
 public:
  // The plan of an embedder with these options, of which nothing is taken yet. kInvalidArgument for options out of
  // range; kOutOfMemory when `max_memory` is less than one text of `max_tokens` needs: the message says how much.
  static Result<Plan> MakePlan(const Model& model, const EmbedderOptions& options = {});

  // Reserves all scratch memory. The errors of MakePlan, and kOutOfMemory when the system refuses.
  static Result<Embedder> Create(std::shared_ptr<const Model> model, const EmbedderOptions& options = {});

  ~Embedder();
  Embedder(Embedder&&) noexcept;
  Embedder& operator=(Embedder&&) noexcept;

  // Embeds one text (UTF-8; invalid bytes count as U+FFFD) into `vector`, which holds dimensions() floats. kIo when the
  // model's file can no longer be read; kInvalidArgument for options that cannot work with this model.
  Result<Report> Embed(std::string_view text, std::span<float> vector, const VectorOptions& options = {});

  // Embeds texts[i] into vectors[i * dimensions() ..]; `vectors` holds texts.size() * dimensions() floats and `reports`
  // is empty or holds one entry per text. Memory does not grow with the number of texts or their lengths, and nothing
  // is allocated.
  Status EmbedBatch(std::span<const std::string_view> texts, std::span<float> vectors, std::span<Report> reports = {},
                    const VectorOptions& options = {});

  // The vectors of a text's tokens, neither pooled nor normalised, special tokens included: row t of `vectors` is that
  // of token t, and plan().max_tokens * ModelInfo::token_dimensions floats are enough for any text. The rows behind the
  // report's tokens are left as they are. kUnsupported for a mock; else the errors of Embed.
  Result<Report> EmbedTokens(std::string_view text, std::span<float> vectors);

  // The same for the tokens of one sequence, from 1 to plan().max_tokens ids as Model::Tokenize gives them: row t of
  // `vectors`, which has ids.size() * ModelInfo::token_dimensions floats, is that of ids[t]. All have the token type 0.
  // kInvalidArgument for another number of ids or of floats, and for an id that the vocabulary does not reach;
  // kUnsupported for a mock; kIo.
  Status EmbedIds(std::span<const std::int32_t> ids, std::span<float> vectors);

  // Gives the scratch memory back to the system until the next call: for an embedder that will not be used for a while.
  void Release();

  std::size_t dimensions() const;
  const Plan& plan() const;

 private:
  struct Impl;
  explicit Embedder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace thimble

#endif  // THIMBLE_EMBEDDER_H_
