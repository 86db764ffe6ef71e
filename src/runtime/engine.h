// What stands behind the public Model and Embedder: the native engine, or a mock.

#ifndef THIMBLE_RUNTIME_ENGINE_H_
#define THIMBLE_RUNTIME_ENGINE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/thread_team.h"
#include "thimble/embedder.h"
#include "thimble/model.h"
#include "thimble/vocabulary.h"

namespace thimble::format {
class Reader;
}

namespace thimble::inline v0_1 {

// What a call to EmbedBatch works on; `reports` may be empty.
struct Batch {
  std::span<const std::string_view> texts;
  float* vectors = nullptr;  // [texts][dimensions]
  std::span<Report> reports;
  std::span<const Pooling> pooling;  // As many as the model has.
  bool normalize = true;
  std::string_view prompt = {};
  LongTexts long_texts = LongTexts::kTruncate;
  std::optional<std::size_t> chunk_overlap = {};
  std::size_t first_index = 0;
};

struct WorkerOptions {
  std::size_t max_tokens = 0;   // Of one text.
  std::size_t tile_tokens = 0;  // Of texts embedded together, at least max_tokens.
  Truncation truncation = Truncation::kSentenceTransformers;
};

class Worker;

// Worker i works on member i of the team.
struct WorkerTeam {
  ThreadTeam& threads;
  std::span<const std::unique_ptr<Worker>> workers;
};

// One thread's share of an Embedder. Thread-compatible. Allocates nothing once it is made.
class Worker {
 public:
  virtual ~Worker() = default;
  // Embeds texts [begin, end) of the batch. kIo when the model's file cannot be read; kCorrupt for a vector that is not
  // finite; kInvalidArgument for a text that is too long, or windows that have no room.
  virtual Status Embed(const Batch& batch, std::size_t begin, std::size_t end) = 0;
  // The same for the whole batch together with the other workers of a team, of which this is the first: for a batch
  // with fewer texts than keep all of them busy.
  virtual Status EmbedTogether(const Batch& batch, const WorkerTeam& team) = 0;
  // The vectors of a text's tokens, by all workers of the team: `rows` is [max_tokens][token_dimensions]. The errors of
  // Embed, and kUnsupported.
  virtual Result<Report> EmbedTokens(std::string_view text, float* rows, const WorkerTeam& team) = 0;
  // The same for at most max_tokens ids, each below the vocabulary.
  virtual Status EmbedIds(std::span<const std::int32_t> ids, float* rows, const WorkerTeam& team) = 0;
  // Gives scratch memory back to the system; the next Embed takes it again.
  virtual void Release() = 0;
};

// Thread-safe.
struct Model::Impl {
  virtual ~Impl() = default;

  virtual const ModelInfo& info() const = 0;
  // Tokens that every text has beside its own.
  virtual std::size_t special_tokens() const = 0;
  // The name of the instruction set in use.
  virtual std::string_view isa() const = 0;
  virtual std::string_view fastest_dtype() const = 0;
  // Token ids of prompt and text, at most `max_tokens`, which leaves room for the special ones. Of the options it looks
  // at the others.
  virtual Result<Tokens> Tokenize(std::string_view prompt, std::string_view text, std::size_t max_tokens,
                                  const TokenizeOptions& options) const = 0;

  // The vocabulary's entries of ids that are in range; none for a mock.
  virtual std::vector<TokenText> TokenTexts(std::span<const std::int32_t>) const { return {}; }
  virtual SpecialIds FindSpecialIds() const { return {}; }

  // The model's file; null for a mock.
  virtual const format::Reader* reader() const { return nullptr; }
  // kCorrupt when the mapped file was written to since it was opened.
  virtual Status CheckFile() const { return Status(); }
  // Bytes of the file that are mapped.
  virtual std::size_t MappedBytes() const { return 0; }

  // Private bytes that an open model takes, whatever is done with it.
  virtual std::size_t FixedBytes() const = 0;
  // Private bytes of one worker.
  virtual std::size_t ScratchBytes(std::size_t max_tokens, std::size_t tile_tokens) const = 0;
  // kOutOfMemory when the system refuses. The model must outlive the worker.
  virtual Result<std::unique_ptr<Worker>> CreateWorker(const WorkerOptions& options) const = 0;
};

// `requested` tokens, or where `truncation` says for 0. kInvalidArgument above the positions, or with no room beside
// the special tokens.
Result<std::size_t> ResolveMaxTokens(const Model::Impl& model, std::size_t requested, Truncation truncation);

// The text of a prompt: the model's default where `name` is unset, empty for an empty one. kInvalidArgument, saying
// which there are, for one that the model lacks.
Result<std::string_view> FindPrompt(const ModelInfo& info, const std::optional<std::string>& name);

// Tokens that windows share, in windows with room for `room` of a text. kInvalidArgument when there is no room, or when
// more than half of it is asked for.
Result<std::size_t> ResolveOverlap(const Batch& batch, std::size_t max_tokens, std::size_t room);

// kInvalidArgument, naming the first of `ids` that the model's vocabulary does not reach. A mock reaches all.
Status CheckIds(const ModelInfo& info, std::span<const std::int32_t> ids);

// The error of a text that is too long.
Status TooLong(const Batch& batch, std::size_t index, std::size_t tokens, std::size_t max_tokens);

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_RUNTIME_ENGINE_H_
