// The forward pass: from token ids to one vector for each token.

#ifndef THIMBLE_MODEL_ENCODER_H_
#define THIMBLE_MODEL_ENCODER_H_

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/arena.h"
#include "kernels/kernels.h"
#include "model/weights.h"

namespace thimble {

// How much an encoder takes on at once.
struct TileShape {
  std::size_t tokens = 0;   // Rows of a tile, over all its sequences.
  std::size_t longest = 0;  // Longest sequence, at most `tokens`.
};

// Weights with scratch memory for one tile. Thread-compatible. Allocates nothing after construction.
class Encoder {
 public:
  // Takes its buffers from `arena`; with an arena that only counts, the encoder must not be used. The weights and the
  // arena's memory must outlive it.
  Encoder(const Weights& weights, const kernels::Kernels& kernels, TileShape shape, Arena& arena);

  // Runs one tile: sequences of lengths[i] ids, laid end to end in `ids`, at most shape.tokens in all; every id is
  // below the vocabulary. Returns the vectors of all tokens, [ids.size()][hidden], valid until the next call. kIo when
  // the model's file cannot be read.
  Result<std::span<const float>> Encode(std::span<const std::int32_t> ids, std::span<const std::uint32_t> lengths);

 private:
  // x = the embeddings of one sequence.
  Status Embed(std::span<const std::int32_t> ids, float* x);
  // The steps of one layer, on all rows of the tile.
  void Attention(const LayerWeights& layer, std::span<const std::uint32_t> lengths);
  void FeedForward(const LayerWeights& layer);
  // x = LayerNorm(x), and, for int8, its rotated codes as the next matrix's input.
  void Normalize(const NormWeights& norm);

  const Weights& w_;
  const kernels::Kernels& k_;
  std::size_t rows_ = 0;  // Of the tile in hand.

  float* x_ = nullptr;                  // [tokens][hidden] residual stream
  kernels::QuantizedRows codes_;        // [tokens][hidden] input of the next matrix, int8 only
  float* head_ = nullptr;               // [tokens][3 head_width] query, key and value of one head
  float* context_ = nullptr;            // [tokens][hidden] attention's output
  float* inner_ = nullptr;              // [block][intermediate] shares memory with head_ and context_
  kernels::QuantizedRows inner_codes_;  // [block][intermediate] likewise, int8 only
  std::size_t block_ = 0;               // Rows that go through the feed-forward network together.
  std::byte* words_ = nullptr;          // [block] rows of the word table, shares memory with head_ and context_
  float* workspace_ = nullptr;          // [intermediate] one rotated row, int8 only
  std::byte* attention_ = nullptr;
  std::int8_t* panel_ = nullptr;  // int8 only
};

}  // namespace thimble

#endif  // THIMBLE_MODEL_ENCODER_H_
