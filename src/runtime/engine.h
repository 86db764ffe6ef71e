// What stands behind the public Model and Embedder: an engine, and the workers that it makes. engines.h lists them.

#ifndef THIMBLE_RUNTIME_ENGINE_H_
#define THIMBLE_RUNTIME_ENGINE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/thread_team.h"
#include "cache/table.h"
#include "runtime/model_file.h"
#include "thimble/embedder.h"
#include "thimble/model.h"
#include "thimble/vocabulary.h"

namespace thimble::runtime {

// What a call to EmbedBatch or Rank works on; `reports` may be empty.
struct Batch {
  std::span<const std::string_view> texts;
  std::optional<std::string_view> query = {};  // The first text of each pair, whose second is one of the texts.
  float* vectors = nullptr;                    // [texts][dimensions], or of pairs [texts][num_scores]
  std::size_t dimensions = 0;                  // At most those of the model; of pairs the scores.
  std::span<Report> reports;
  std::span<const Pooling> pooling;  // As many as the model has.
  bool normalize = true;
  std::string_view prompt = {};
  LongTexts long_texts = LongTexts::kTruncate;
  std::optional<std::size_t> chunk_overlap = {};
  std::size_t first_index = 0;
  const std::atomic<bool>* stop = nullptr;

  // What messages call its texts.
  const char* what() const { return query ? "documents[" : "texts["; }
};

struct WorkerOptions {
  std::size_t max_tokens = 0;   // Of one text.
  std::size_t tile_tokens = 0;  // Of texts embedded together, at least max_tokens.
  Truncation truncation = Truncation::kSentenceTransformers;
  cache::Table* cache = nullptr;  // Null for none; must outlive the workers.
};

// What embeds in an Embedder: a worker for each member of a team. Thread-compatible but for Embed. Allocates nothing
// once it is made.
class Workers {
 public:
  explicit Workers(base::ThreadTeam team) : team_(std::move(team)) {}
  virtual ~Workers() = default;

  base::ThreadTeam& team() { return team_; }

  // Embeds texts [begin, end) of the batch with one worker; others may be at work meanwhile. kIo when the model's file
  // cannot be read; kCorrupt for a vector that is not finite; kInvalidArgument for a text that is too long, or windows
  // that have no room.
  virtual Status Embed(std::size_t worker, const Batch& batch, std::size_t begin, std::size_t end) = 0;
  // The same for the whole batch with all workers together, whose team nobody uses: for a batch with fewer texts than
  // keep all of them busy.
  virtual Status EmbedTogether(const Batch& batch) = 0;
  // The vectors of a text's tokens, likewise: `rows` is [max_tokens][token_dimensions]. The errors of Embed, and
  // kUnsupported.
  virtual Result<Report> EmbedTokens(std::string_view text, float* rows, const std::atomic<bool>* stop) = 0;
  // The same for at most max_tokens ids, each below the vocabulary.
  virtual Status EmbedIds(std::span<const std::int32_t> ids, float* rows, const std::atomic<bool>* stop) = 0;
  // Gives scratch memory back to the system; the next call takes it again.
  virtual void Release() = 0;

 private:
  base::ThreadTeam team_;
};

// A model in memory. Thread-safe.
class Engine {
 public:
  virtual ~Engine() = default;

  virtual const ModelInfo& info() const = 0;
  // Tokens that every text has beside its own.
  virtual std::size_t special_tokens() const = 0;
  // Whether it has vectors of texts, and how many scores of a pair of texts; 0 for none.
  virtual bool embeds() const = 0;
  virtual std::size_t num_scores() const = 0;
  // The name of the instruction set in use.
  virtual std::string_view isa() const = 0;
  virtual std::string_view fastest_dtype() const = 0;
  // Null for a model without one.
  virtual const ModelFile* file() const = 0;
  // kCorrupt when the file was written to since it was opened.
  Status CheckFile() const { return file() == nullptr ? Status() : file()->Check(); }
  // kInvalidArgument if `dtype` is not that of the file, or there is none of that name; an empty one is that of any.
  Status CheckDtype(std::string_view dtype) const;
  // Bytes of the file that are mapped.
  std::size_t MappedBytes() const { return file() == nullptr ? 0 : file()->MappedBytes(); }

  // Token ids of prompt and text, at most `max_tokens`, which leaves room for the special ones. Of the options it looks
  // at the others. These three: kUnsupported without a vocabulary.
  virtual Result<Tokens> Tokenize(std::string_view prompt, std::string_view text, std::size_t max_tokens,
                                  const TokenizeOptions& options) const = 0;
  // The vocabulary's entries of ids that are in range.
  virtual Result<std::vector<TokenText>> TokenTexts(std::span<const std::int32_t> ids) const = 0;
  virtual Result<SpecialIds> FindSpecialIds() const = 0;

  // Private bytes that an open model takes, whatever is done with it.
  virtual std::size_t FixedBytes() const = 0;
  // Private bytes of one worker.
  virtual std::size_t ScratchBytes(const WorkerOptions& options) const = 0;
  // kOutOfMemory when the system refuses. The model must outlive its workers.
  virtual Result<std::unique_ptr<Workers>> CreateWorkers(const WorkerOptions& options, base::ThreadTeam team) const = 0;
};

// `requested` tokens, or where `truncation` says for 0. kInvalidArgument above the positions, or with no room beside
// the special tokens.
Result<std::size_t> ResolveMaxTokens(const Engine& engine, std::size_t requested, Truncation truncation);

// `wanted` dimensions, or all of the model's. kInvalidArgument where it has not as many.
Result<std::size_t> ResolveDimensions(const ModelInfo& info, std::optional<std::size_t> wanted);

// The text of a prompt: the model's default where `name` is unset, empty for an empty one. kInvalidArgument, saying
// which there are, for one that the model lacks.
Result<std::string_view> FindPrompt(const ModelInfo& info, const std::optional<std::string>& name);

// Tokens that windows share, in windows with room for `room` of a text. kInvalidArgument when there is no room, or when
// more than half of it is asked for.
Result<std::size_t> ResolveOverlap(const Batch& batch, std::size_t max_tokens, std::size_t room);

// kInvalidArgument, naming the first of `ids` that the model's vocabulary does not reach. A mock reaches all.
Status CheckIds(const ModelInfo& info, std::span<const std::int32_t> ids);

// The error of a text, or a pair, that is too long.
Status TooLong(const Batch& batch, std::size_t index, std::size_t tokens, std::size_t max_tokens);

}  // namespace thimble::runtime

#endif  // THIMBLE_RUNTIME_ENGINE_H_
