// The encoder in fp32 over many sequences, one layer after the other, so that the weights of one layer are in memory.
// What calibration watches and what accuracy is measured against: the same bits as a model file in fp32.

#ifndef THIMBLE_CONVERT_FORWARD_H_
#define THIMBLE_CONVERT_FORWARD_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/arena.h"
#include "base/thread_team.h"
#include "convert/matrix_writer.h"
#include "kernels/kernels.h"
#include "kernels/matrix.h"
#include "model/program.h"
#include "thimble/status.h"

namespace thimble::convert {

// Token ids of sequences, laid end to end.
struct Sequences {
  std::vector<std::int32_t> ids;
  std::vector<std::uint32_t> lengths;
  std::vector<std::uint32_t> seconds;  // How many tokens of each come before those of the second text of a pair.

  void Add(std::span<const std::int32_t> sequence, std::size_t second) {
    ids.insert(ids.end(), sequence.begin(), sequence.end());
    lengths.push_back(static_cast<std::uint32_t>(sequence.size()));
    seconds.push_back(static_cast<std::uint32_t>(second));
  }
  void Add(std::span<const std::int32_t> sequence) { Add(sequence, sequence.size()); }
  void Add(const Sequences& others) {
    ids.insert(ids.end(), others.ids.begin(), others.ids.end());
    lengths.insert(lengths.end(), others.lengths.begin(), others.lengths.end());
    seconds.insert(seconds.end(), others.seconds.begin(), others.seconds.end());
  }
};

// A matrix of the source: rows of outputs as they are before rotation, and the bias.
struct MatrixSource {
  MatrixSpec spec;
  ReadRows read;
  std::vector<float> bias;
};

// LayerNorm's weights.
struct NormSource {
  std::vector<float> gamma, beta;
};

// By Step::index.
struct LayerSource {
  std::vector<MatrixSource> matrices;
  std::vector<NormSource> norms;
};

// Thread-compatible. Holds [tokens][hidden] floats, the weights of one layer while it runs, and the activations of a
// chunk.
class Forward {
 public:
  // Most tokens of a chunk, unless one sequence has more.
  static constexpr std::size_t kMaxChunk = 512;
  // Called with the inputs of a matrix of the layer, [rows][its inputs], for the sequences from `first` on of a chunk.
  // A failure ends the pass.
  using Watch = std::function<Status(std::size_t matrix, std::size_t first, const float* x, std::size_t rows)>;
  using ReadRow = std::function<Status(std::size_t row, std::span<float> out)>;

  // `cuts` are sequences at which a chunk must begin, ascending: no chunk is on both sides of one. The
  // program must outlive it.
  Forward(const model::Program& program, Sequences sequences, std::vector<std::size_t> cuts,
          const kernels::Kernels& kernels, base::ThreadTeam& team);

  // The embeddings: `word` and `position` read rows, `type` is part of every token but those of a second text, of which
  // `second_type` is part unless it is empty.
  Status Embed(const ReadRow& word, const ReadRow& position, std::span<const float> type,
               std::span<const float> second_type, const NormSource& norm);
  // The bias of attention by distance as a model file has it, if the program has one. Before the first layer.
  void SetRelativeBias(std::span<const float> bias);
  // One layer.
  Status Run(const LayerSource& layer, const Watch& watch);

  const Sequences& sequences() const { return sequences_; }
  // The vectors of all tokens, [tokens][hidden].
  std::span<const float> x() const { return x_; }

 private:
  struct FloatMatrix;
  void Linear(const kernels::Matrix& w, const float* x, std::size_t rows, kernels::Epilogue epilogue, float* out);
  void Attend(const float* heads, std::span<const std::uint32_t> lengths, base::Mapping& scratch, float* context);
  void Normalize(const NormSource& norm, float* x, std::size_t rows);

  const model::Program& program_;
  Sequences sequences_;
  std::vector<std::size_t> cuts_;
  std::size_t chunk_;
  const kernels::Kernels& k_;
  base::ThreadTeam& team_;
  std::vector<float> x_;
  std::vector<float> bias_lines_;  // Of each head, for `chunk_` tokens; empty without a relative bias.
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_FORWARD_H_
