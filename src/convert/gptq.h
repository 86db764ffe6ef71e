// GPTQ: rounds the weights of a row one after the other, each so that it makes up for the errors of those before it, as
// far as the inputs of the matrix are correlated (Frantar et al., arXiv:2210.17323).
//
// Its statistics are the second moments of a matrix's inputs, H = sum of x x^T, and a triangular factor of them.

#ifndef THIMBLE_CONVERT_GPTQ_H_
#define THIMBLE_CONVERT_GPTQ_H_

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/thread_team.h"
#include "convert/quantize.h"
#include "kernels/kernels.h"
#include "kernels/matrix.h"

namespace thimble::convert {

// Sums x x^T over tokens, x of `width` floats, a multiple of 64. Thread-compatible. The sums have a fixed order:
// the same bits with any number of threads.
class Moments {
 public:
  // Most tokens that Add takes at once.
  static constexpr std::size_t kMaxRows = 512;

  Moments(std::size_t width, const kernels::Kernels& kernels);

  // Adds the tokens x, [rows][width].
  void Add(const float* x, std::size_t rows, base::ThreadTeam& team);
  void Clear();

  std::size_t width() const { return width_; }
  std::size_t tokens() const { return tokens_; }
  // H, [width][width]; only what is on and above the diagonal is set.
  std::span<const float> second() const { return second_; }

 private:
  std::size_t width_;
  const kernels::Kernels& kernels_;
  std::size_t tokens_ = 0;
  std::vector<float> second_;
  std::vector<float> columns_;  // [width][kMaxRows]: the tokens with rows and columns exchanged,
  std::vector<float> strips_;   // [width / 16][rows][16] and as a matrix of the kernels.
  std::vector<float> zeros_;
};

// R of H = R R^T, upper triangular, so that the error of a row of outputs, e H e^T for an error e of its weights, is
// |e R|^2, whose element j depends on the errors of inputs up to j alone.
class Factor {
 public:
  // Of the moments, with inputs rotated where `rotation` says so, and `damping` times the mean of the diagonal added to
  // the diagonal. Unset when the moments are not finite.
  static std::optional<Factor> Create(const Moments& moments, const std::optional<kernels::Rotation>& rotation,
                                      double damping, base::ThreadTeam& team);
  // Of any symmetric positive definite H, [width][width]: what is on and above the diagonal is read.
  static std::optional<Factor> Create(std::vector<double> h, std::size_t width, base::ThreadTeam& team);

  std::size_t width() const { return width_; }
  // Columns [16 s, 16 s + 16) of R: rows 0 to 16 s + 15, [16 s + 16][16]. Where a strip ends, the next begins.
  const float* Strip(std::size_t s) const { return &strips_[kernels::kStrip * kernels::kStrip * (s * (s + 1) / 2)]; }
  // i <= j.
  float At(std::size_t i, std::size_t j) const {
    return Strip(j / kernels::kStrip)[i * kernels::kStrip + j % kernels::kStrip];
  }

 private:
  explicit Factor(std::size_t width);
  std::size_t width_;
  std::vector<float> strips_;
};

// All rows of a matrix, in the form of its format: one of the two.
struct QuantizedMatrix {
  kernels::WeightFormat format = kernels::WeightFormat::kQ8;
  std::vector<Int8Row> int8;           // kQ8
  std::vector<TwoLevelRow> two_level;  // kQ6, kQ4

  std::size_t rows() const { return int8.size() + two_level.size(); }
  // out = the row's weights as they will be.
  void Values(std::size_t row, std::span<float> out) const;
};

// Each row rounded by itself, to the nearest or by the least squared error.
QuantizedMatrix RoundRows(kernels::WeightFormat format, std::span<const float> weights, std::size_t inputs,
                          base::ThreadTeam& team);

// What GPTQ made of a matrix.
struct GptqReport {
  std::size_t rows = 0;     // In all,
  std::size_t guarded = 0;  // of which so many kept their plain rounding, which was no worse.
  double loss = 0;          // Sum over the rows of e H e^T, e the errors of a row's weights.
  double rounded_loss = 0;  // The same for plain rounding.
};

// Replaces the rounded rows of `matrix` by those of GPTQ. `weights` is [rows][factor.width()], with inputs rotated like
// the factor's. A row keeps its plain rounding where that has less loss, or where GPTQ's weights ran away from the
// original ones.
GptqReport Gptq(std::span<const float> weights, const Factor& factor, const kernels::Kernels& kernels,
                base::ThreadTeam& team, QuantizedMatrix* matrix);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_GPTQ_H_
