// One thread's share of a native embedder: a tile that is filled with texts and emptied into vectors.

#ifndef THIMBLE_RUNTIME_NATIVE_WORKER_H_
#define THIMBLE_RUNTIME_NATIVE_WORKER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "base/sha256.h"
#include "cache/table.h"
#include "kernels/kernels.h"
#include "model/encoder.h"
#include "model/head.h"
#include "model/weights.h"
#include "runtime/engine.h"
#include "runtime/model_file.h"
#include "text/pairs.h"
#include "text/windows.h"

namespace thimble::runtime {

// How a text that is too long is cut.
inline text::Cut CutOf(Truncation truncation) {
  return truncation == Truncation::kTransformersJs ? text::Cut::kAll : text::Cut::kText;
}

// Thread-compatible.
class NativeWorker {
 public:
  // Takes its buffers from `scratch`; with an empty one it only counts and must not be used. `file` is that of the
  // weights.
  NativeWorker(const ModelFile& file, const model::Weights& weights, const kernels::Kernels& kernels,
               const WorkerOptions& options, base::Mapping scratch);

  std::size_t scratch_bytes() const { return arena_.used(); }
  model::Encoder& encoder() { return encoder_; }
  // Embeds texts [begin, end), each tile with the help of `crew`.
  Status Embed(const Batch& batch, std::size_t begin, std::size_t end, const model::Crew& crew);
  Result<Report> EmbedTokens(std::string_view text, float* rows, const model::Crew& crew,
                             const std::atomic<bool>* stop);
  // The vectors of one sequence, `what` in messages.
  Status EncodeIds(std::span<const std::int32_t> ids, std::string_view what, float* rows, const model::Crew& crew,
                   const std::atomic<bool>* stop);
  void Release() { scratch_.Release(); }

 private:
  // What the cache is to have of a text.
  struct Cached {
    std::size_t index;
    cache::Key key;
  };

  Status EmbedWindows(const Batch& batch, std::size_t index, std::size_t overlap);
  Status EmbedPair(const Batch& batch, std::size_t index);
  // The error of a vector of `what` that is not finite.
  Status NotFinite(std::string_view what) const;
  // The hash of what decides the vectors of the call beside token ids. A sequence then adds its length and its ids.
  base::Sha256 HashOf(const Batch& batch) const;
  void AddSequenceTo(base::Sha256& hash, std::size_t tokens) const;
  // Looks up the text in hand, whose key is the hash: whether its vector is there, and so done.
  Result<bool> Find(const Batch& batch, std::size_t index, base::Sha256& hash);
  // Where the vector of a text is made: in its place, unless it is to be cut.
  float* UncutOf(const Batch& batch, std::size_t index) const;
  // Cuts and normalises what is there. kCorrupt where that leaves values that are not finite.
  Status Finish(const Batch& batch, std::size_t index);
  // Takes the sequence behind the tile into it. `goes_on` says that the text has another window, `second` where the
  // second text of a pair begins.
  Status Add(const Batch& batch, std::size_t tokens, bool goes_on, std::size_t second = 0);
  // Rows of a sequence that are a prompt's and not pooled. As sentence-transformers counts them: all of the prompt
  // alone but its last special token.
  std::size_t UnpooledTokens(std::string_view prompt) const;
  // Encodes the tile and writes its vectors; it is then empty, even if that failed.
  Status Flush(const Batch& batch);
  // Takes the vector of a window with so many tokens of its text into the mean, which then is in its place.
  void AddWindow(double tokens, bool goes_on, float* vector);

  const ModelFile& file_;
  const model::Weights& weights_;
  const WorkerOptions options_;
  const text::Cut cut_;
  base::Mapping scratch_;
  base::Arena arena_;
  model::Encoder encoder_;

  model::Crew crew_;          // Of the call in hand.
  std::size_t unpooled_ = 0;  // The same.
  // The tile: sequences laid end to end, each a text or a window of one.
  std::int32_t* ids_;                 // [tile_tokens + max_tokens]: one that no longer fits waits behind the tile.
  std::uint32_t* lengths_;            // [tile_tokens]
  std::uint8_t* goes_on_;             // [tile_tokens] whether the next sequence is of the same text.
  std::uint32_t* seconds_ = nullptr;  // [tile_tokens] of pairs: where the second text begins.
  std::size_t first_text_ = 0;        // Its texts are consecutive.
  std::size_t num_sequences_ = 0;
  std::size_t num_ids_ = 0;

  // The text whose windows are in hand: the sum of their vectors, weighted, and of the weights.
  double* window_sum_;  // [dimensions of the model]
  double window_weight_ = 0;
  float* uncut_;  // [dimensions of the model], filled up: a vector to be cut.
  text::WindowShape windows_;
  model::Head head_;
  std::optional<text::Pairs> pairs_;  // Of a model that takes them.

  bool caches_ = false;       // Whether there is a cache, for
  Cached* cached_ = nullptr;  // [tile_tokens] the text of each sequence. Between consecutive ones others were found.
  base::Sha256 hash_;         // Of the call in hand.
  Cached in_hand_ = {};
};

}  // namespace thimble::runtime

#endif  // THIMBLE_RUNTIME_NATIVE_WORKER_H_
