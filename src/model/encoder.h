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
#include "model/schedule.h"
#include "model/weights.h"

namespace thimble::model {

// How much an encoder takes on at once.
struct TileShape {
  std::size_t tokens = 0;   // Rows of a tile, over all its sequences.
  std::size_t longest = 0;  // Longest sequence, at most `tokens`.
};

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
  base::ThreadTeam* team = nullptr;
  std::span<Encoder* const> encoders;
};

// Weights with scratch memory for one tile. Thread-compatible. Allocates nothing after construction.
class Encoder {
 public:
  // Takes its buffers from `arena`; with an arena that only counts, the encoder must not be used. The weights and the
  // arena's memory must outlive it.
  Encoder(const Weights& weights, const kernels::Kernels& kernels, TileShape shape, base::Arena& arena);

  // Runs one tile: sequences of lengths[i] ids, laid end to end in `ids`, at most shape.tokens in all; every id is
  // below the vocabulary. Returns the vectors of all tokens, [ids.size()][hidden], or of the first of each sequence,
  // [lengths.size()][hidden], valid until the next call. With a crew, whose first encoder is this one, its members
  // share the work; the vectors are the same. `seconds`, of a model for pairs, says of each sequence how many tokens
  // come before those of the second type. kIo when the model's file cannot be read, or when `stop` is set meanwhile.
  Result<std::span<const float>> Encode(std::span<const std::int32_t> ids, std::span<const std::uint32_t> lengths,
                                        WantedRows wanted = WantedRows::kAll, const Crew& crew = {},
                                        std::span<const std::uint32_t> seconds = {},
                                        const std::atomic<bool>* stop = nullptr);

 private:
  // Rows of a buffer, from one of them on: floats and, where matrices take them, their int8 codes.
  struct Rows {
    float* values;
    kernels::QuantizedRows codes;
    std::size_t width;
  };
  // Of a buffer of this encoder.
  Rows RowsOf(Buffer buffer, std::size_t row) const;

  // Does a part of the tile that lies in the buffers of `tile`, with the buffers of this encoder for what only its
  // thread needs.
  void Do(Encoder& tile, const Part& part);
  // The stream's rows are the embeddings. kIo when the model's file cannot be read.
  Status Embed(const Encoder& tile, Range rows);
  // The context of a head, for all rows.
  void Attend(const Encoder& tile, const Part& part);
  // Steps for some rows.
  void RunRows(Encoder& tile, const Part& part);
  // Some outputs of a product.
  void Linear(const Step& step, std::size_t layer, const Rows& in, std::size_t rows, Range outputs, const Rows& out);
  // The stream's rows normalised, and made inputs of a matrix.
  void Normalize(const NormWeights& norm, const Rows& x, std::size_t rows);
  // Makes rows inputs of a matrix.
  void Quantize(Buffer buffer, const Rows& x, std::size_t rows);

  // out = W x + b for some outputs, the first of which goes to out[0].
  void Multiply(const kernels::Matrix& matrix, const Rows& in, std::size_t rows, Range outputs,
                kernels::Epilogue epilogue, float* out, std::size_t stride);
  // Moves the first row of each sequence to the front of the stream.
  void KeepFirstRows();

  const Weights& w_;
  const kernels::Kernels& k_;

  // The tile in hand, written by all members.
  std::span<const std::int32_t> ids_;
  std::span<const std::uint32_t> lengths_;
  std::span<const std::uint32_t> seconds_;
  const std::atomic<bool>* stop_ = nullptr;
  std::atomic<bool> failed_ = false;  // A member could not read the model's file, or saw the stop.
  float* stream_ = nullptr;           // [tokens][hidden]
  kernels::QuantizedRows codes_;      // [tokens][hidden] of the stream or the context, int8 only
  float* context_ = nullptr;          // [tokens][hidden]

  // A member's own, and of few rows the tile's too.
  Status status_;
  float* head_ = nullptr;               // [tokens][3 head_width] query, key and value of one head
  float* inner_ = nullptr;              // [block][intermediate] shares memory with head_ and context_
  kernels::QuantizedRows inner_codes_;  // [block][intermediate] likewise, int8 only
  std::size_t block_ = 0;               // Rows that go through the feed-forward network together.
  std::byte* words_ = nullptr;          // [block] rows of the word table, shares memory with head_ and context_
  float* workspace_ = nullptr;          // [intermediate] one rotated row, int8 only
  std::byte* attention_ = nullptr;
  float* bias_ = nullptr;         // A line for the longest sequence, of one head; null without a relative bias.
  std::int8_t* panel_ = nullptr;  // int8 only
};

}  // namespace thimble::model

#endif  // THIMBLE_MODEL_ENCODER_H_
