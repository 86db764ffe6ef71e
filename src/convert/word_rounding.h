// GPTQ for the words of a large vocabulary: their rows are not multiplied with inputs, so that what counts is how errors
// of a row show in the vectors of texts. That is measured: a few short sequences go through the forward pass once for
// each component of a row, which is changed a little.

#ifndef THIMBLE_CONVERT_WORD_ROUNDING_H_
#define THIMBLE_CONVERT_WORD_ROUNDING_H_

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/thread_team.h"
#include "convert/forward.h"
#include "convert/gptq.h"
#include "kernels/kernels.h"

namespace thimble::convert {

// Thread-compatible. Use: the constructor, Probe, Learn, Round.
class WordRounder {
 public:
  // Adds its sequences behind `sequences`, parts of the first `fit` of which they are: 128 MB of activations at most
  // for 1024 components.
  WordRounder(std::size_t hidden, std::size_t fit, const kernels::Kernels& kernels, base::ThreadTeam& team,
              Sequences* sequences);

  // The first of its sequences, which are the last of a Forward.
  std::size_t first() const { return first_; }
  // Rows of words for Forward::Embed, with the changes in its sequences. Must not outlive `this`.
  Forward::ReadRow Probe(Forward::ReadRow word);
  // The vectors of its sequences, of unit length, [sequences][dimensions].
  void Learn(std::span<const float> vectors);
  // Rounds rows of words, [rows][hidden], in q4. The first call decides whether GPTQ is any good: on sequences that it
  // has not seen, or else all rows are rounded plainly.
  QuantizedMatrix Round(std::span<const float> rows);

  // Rows that GPTQ rounded.
  std::size_t rounded() const { return rounded_; }

 private:
  struct Sample {
    std::size_t begin = 0;  // Its first token in the Forward; each copy has kTokens.
    std::size_t place = 0;  // The token whose row is changed,
    float step = 0;         // by this.
  };
  double Loss(std::span<const float> rows, const QuantizedMatrix& matrix) const;

  std::size_t hidden_, first_;
  const kernels::Kernels& kernels_;
  base::ThreadTeam& team_;
  std::vector<Sample> samples_;
  std::vector<double> unseen_;  // As a Factor's H, [hidden][hidden], of sequences kept for the check.
  std::optional<Factor> factor_;
  bool checked_ = false;
  std::size_t rounded_ = 0;
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_WORD_ROUNDING_H_
