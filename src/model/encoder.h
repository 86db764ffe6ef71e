// The forward pass: from token ids to one vector for each token.

#ifndef THIMBLE_MODEL_ENCODER_H_
#define THIMBLE_MODEL_ENCODER_H_

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/arena.h"
#include "base/thread_team.h"
#include "kernels/kernels.h"
#include "model/weights.h"

namespace thimble::inline v0_1 {

// How much an encoder takes on at once.
struct TileShape {
  std::size_t tokens = 0;   // Rows of a tile, over all its sequences.
  std::size_t longest = 0;  // Longest sequence, at most `tokens`.
};

// Which vectors of a tile are wanted. For the first alone, the last layer computes little more than its keys and
// values.
enum class WantedRows { kAll, kFirst };

// Whether rows of the encoder, [rows][width], are finite: LayerNorm makes all of a row NaN where one value is not.
inline bool RowsAreFinite(const float* x, std::size_t rows, std::size_t width) {
  for (std::size_t row = 0; row < rows; ++row) {
    if (!std::isfinite(x[row * width])) return false;
  }
  return true;
}

class Encoder;

// Threads that take one tile through the layers together: member i of the team works with encoders[i], which all have
// the same weights and shape.
struct Crew {
  ThreadTeam* team = nullptr;
  std::span<Encoder* const> encoders;
};

// Weights with scratch memory for one tile. Thread-compatible. Allocates nothing after construction.
class Encoder {
 public:
  // Takes its buffers from `arena`; with an arena that only counts, the encoder must not be used. The weights and the
  // arena's memory must outlive it.
  Encoder(const Weights& weights, const kernels::Kernels& kernels, TileShape shape, Arena& arena);

  // Runs one tile: sequences of lengths[i] ids, laid end to end in `ids`, at most shape.tokens in all; every id is
  // below the vocabulary. Returns the vectors of all tokens, [ids.size()][hidden], or of the first of each sequence,
  // [lengths.size()][hidden], valid until the next call. With a crew, whose first encoder is this one, its members
  // share the work; the vectors are the same. kIo when the model's file cannot be read.
  Result<std::span<const float>> Encode(std::span<const std::int32_t> ids, std::span<const std::uint32_t> lengths,
                                        WantedRows wanted = WantedRows::kAll, const Crew& crew = {});

 private:
  struct Range {
    std::size_t begin = 0, end = 0;
    std::size_t size() const { return end - begin; }
  };
  // Part `part` of `parts` of 0 to `count`, in whole steps as far as they go.
  static Range Share(std::size_t count, std::size_t step, std::size_t part, std::size_t parts);
  // The steps of a layer. Those behind kFeedForward take the place of it and kProject for few rows, of which every
  // member then computes some outputs of each matrix.
  enum class Step : std::uint8_t {
    kAttend,       // By heads.
    kProject,      // By rows: the rest of attention,
    kFeedForward,  // and the feed-forward network.
    kQuantizeContext,
    kProjectOutputs,
    kNormalizeProjected,
    kInnerOutputs,
    kQuantizeInner,
    kOutputs,
    kNormalizeOutputs,
  };
  // How a tile is shared: its steps, and for `members` threads their parts.
  struct Schedule;

  // Does one part of a step of the tile that lies in the buffers of `tile`, with the buffers of this encoder for what
  // only its thread needs.
  void Do(Encoder& tile, const Schedule& schedule, std::size_t step, std::size_t part);
  // x = the embeddings of some rows of the tile, before LayerNorm.
  Status Embed(const Encoder& tile, Range rows);
  // The context of a head, for all rows.
  void Attend(const Encoder& tile, const LayerWeights& layer, std::size_t head, WantedRows wanted);
  // Moves the first row of each sequence to the front of x.
  void KeepFirstRows();
  // The rest of a layer for some rows, which need nothing of the others.
  void Project(const Encoder& tile, const LayerWeights& layer, Range rows);
  void FeedForward(const Encoder& tile, const LayerWeights& layer, Range rows);

  // Rows of activations, all from row 0 on: int8 codes or floats, as the weights need them.
  struct Input {
    kernels::QuantizedRows codes;
    const float* values = nullptr;
  };
  // out = W x + b for some rows and outputs; out[0] is row 0 of the first of them.
  void Linear(const kernels::Matrix& matrix, const Input& in, Range rows, Range outputs, kernels::Epilogue epilogue,
              float* out, std::size_t stride);
  // The same through the activation of the feed-forward network; rows of `out` are [intermediate] apart.
  void Activated(const kernels::Matrix& matrix, const Input& in, Range rows, Range outputs, float* out);
  // x = LayerNorm(x), and, for int8, its rotated codes as the next matrix's input.
  void Normalize(const Encoder& tile, const NormWeights& norm, Range rows);
  void Quantize(const float* x, std::size_t width, const kernels::Rotation* rotation, const kernels::QuantizedRows& out,
                Range rows);

  const Weights& w_;
  const kernels::Kernels& k_;

  // The tile in hand, written by all members.
  std::span<const std::int32_t> ids_;
  std::span<const std::uint32_t> lengths_;
  std::atomic<bool> failed_ = false;  // A member could not read the model's file.
  float* x_ = nullptr;                // [tokens][hidden] residual stream
  kernels::QuantizedRows codes_;      // [tokens][hidden] input of the next matrix, int8 only
  float* context_ = nullptr;          // [tokens][hidden] attention's output

  // A member's own, and of few rows the tile's too.
  Status status_;
  float* head_ = nullptr;               // [tokens][3 head_width] query, key and value of one head
  float* inner_ = nullptr;              // [block][intermediate] shares memory with head_ and context_
  kernels::QuantizedRows inner_codes_;  // [block][intermediate] likewise, int8 only
  std::size_t block_ = 0;               // Rows that go through the feed-forward network together.
  std::byte* words_ = nullptr;          // [block] rows of the word table, shares memory with head_ and context_
  float* workspace_ = nullptr;          // [intermediate] one rotated row, int8 only
  std::byte* attention_ = nullptr;
  std::int8_t* panel_ = nullptr;  // int8 only
};

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_MODEL_ENCODER_H_
