// GPTQ: rounds the weights of a row one after the other, each so that it makes up for the errors of those before it, as
// far as the inputs of the matrix are correlated (Frantar et al., arXiv:2210.17323).

#ifndef THIMBLE_CONVERT_GPTQ_H_
#define THIMBLE_CONVERT_GPTQ_H_

#include <cstddef>
#include <span>
#include <vector>

#include "base/thread_team.h"
#include "convert/moments.h"
#include "convert/quantize.h"
#include "kernels/kernels.h"
#include "kernels/matrix.h"

namespace thimble::convert {

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
                          ThreadTeam& team);

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
GptqReport Gptq(std::span<const float> weights, const Factor& factor, const kernels::Kernels& kernels, ThreadTeam& team,
                QuantizedMatrix* matrix);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_GPTQ_H_
