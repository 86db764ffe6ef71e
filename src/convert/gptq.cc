// GPTQ by blocks of columns: the correction of a block for earlier columns is a matrix product of the kernels.

#include "convert/gptq.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "convert/parallel.h"

namespace thimble::convert {
namespace {

using kernels::kStrip;
using kernels::WeightFormat;

constexpr std::size_t kPanel = 64;  // Rows that go through the columns together.
// Most columns between two matrix products: the largest group of the two-level formats.
constexpr std::size_t kMaxBlock = 64;
constexpr std::size_t kInt8Block = 32;

// A weight that has run this far from the original makes its row plain again: relative squared error beyond four times
// that of rounding, and a hundredth.
constexpr double kRunawayFactor = 4, kRunawayError = 0.01;

// One way of keeping a panel of rows, with the best that was found so far.
struct Candidate {
  explicit Candidate(std::size_t width) : codes(kPanel * width), groups(kPanel * width / kInt8Block) {}
  std::array<float, kPanel> scale = {};
  std::array<double, kPanel> loss = {};
  std::vector<std::uint8_t> codes;    // [kPanel][width]; int8 codes as their bits.
  std::vector<GroupIntegers> groups;  // [kPanel][blocks]
};

// The scratch memory of a thread.
struct Workspace {
  explicit Workspace(std::size_t width)
      : errors(kPanel * width), product(kPanel * width), other(kPanel * width), candidate(width), best(width) {}
  std::vector<float> errors;  // [kPanel][width] w - value
  std::vector<float> product, other;
  float block[kPanel * kMaxBlock] = {};  // [kPanel][kMaxBlock] correction of a block for the errors so far.
  // The same and others with rows in the lanes, [kMaxBlock][kPanel].
  float asked[kMaxBlock][kPanel] = {}, missed[kMaxBlock][kPanel] = {}, step[kMaxBlock][kPanel] = {};
  Candidate candidate, best;
};

class PanelRounder {
 public:
  PanelRounder(WeightFormat format, const Factor& factor, const kernels::Kernels& kernels)
      : int8_(format == WeightFormat::kQ8),
        levels_(format::MatrixLevels(format)),
        block_(int8_ ? kInt8Block : levels_.group),
        factor_(factor),
        kernels_(kernels),
        width_(factor.width()) {
    weights_.resize(width_);
    zeros_.resize(kStrip);
    for (std::size_t j = 0; j < width_; ++j) weights_[j] = factor.At(j, j) * factor.At(j, j);
  }

  // Finds the best rows for the weights w, [rows][width].
  void Round(const float* w, std::size_t rows, Workspace& space) const;
  // out = what the scale of a panel's row p is a factor of.
  void Integers(const Candidate& panel, std::size_t p, float* out) const;
  // out = x R, [rows][width].
  void Times(const float* x, std::size_t rows, float* out) const;

 private:
  void Pass(const float* w, std::size_t rows, Workspace& space) const;
  // Correction of a block for the rounding errors before column `begin`: `asked`.
  void Ask(std::size_t begin, std::size_t rows, Workspace& space) const;
  // Multiplier and offset of each row, for the weights that would be best if what is left were exact.
  void FitGroups(const float* w, std::size_t begin, std::size_t rows, Workspace& space) const;
  void RoundBlock(const float* w, std::size_t begin, std::size_t rows, Workspace& space) const;

  bool int8_;
  const format::TwoLevel& levels_;  // Unless int8_.
  std::size_t block_;               // Columns of a block: a group.
  const Factor& factor_;
  const kernels::Kernels& kernels_;
  std::size_t width_;
  std::vector<float> weights_;
  std::vector<float> zeros_;
};

void PanelRounder::Ask(std::size_t begin, std::size_t rows, Workspace& space) const {
  if (begin == 0) {
    for (auto& column : space.asked) std::fill(column, column + kPanel, 0.0f);
    return;
  }
  for (std::size_t s = 0; s < block_ / kStrip; ++s) {
    const kernels::Matrix matrix = {.format = WeightFormat::kF32,
                                    .outputs = kStrip,
                                    .inputs = begin,
                                    .weights = factor_.Strip(begin / kStrip + s),
                                    .bias = zeros_.data()};
    kernels_.linear_float(matrix, space.errors.data(), width_,
                          {.end = kStrip, .rows = rows, .out = space.block + s * kStrip, .stride = kMaxBlock});
  }
  for (std::size_t p = 0; p < rows; ++p) {
    for (std::size_t j = 0; j < block_; ++j) space.asked[j][p] = space.block[p * kMaxBlock + j];
  }
}

void PanelRounder::FitGroups(const float* w, std::size_t begin, std::size_t rows, Workspace& space) const {
  // step R = asked within the block: then w + step leaves no error but that of what follows.
  for (std::size_t j = 0; j < block_; ++j) {
    std::copy_n(space.asked[j], kPanel, space.step[j]);
    for (std::size_t i = 0; i < j; ++i) {
      const float r = factor_.At(begin + i, begin + j);
      for (std::size_t p = 0; p < kPanel; ++p) space.step[j][p] -= space.step[i][p] * r;
    }
    const float inverse = 1 / factor_.At(begin + j, begin + j);
    for (std::size_t p = 0; p < kPanel; ++p) space.step[j][p] *= inverse;
  }
  for (std::size_t p = 0; p < rows; ++p) {
    float group[kMaxBlock];
    for (std::size_t j = 0; j < block_; ++j) group[j] = w[p * width_ + begin + j] + space.step[j][p];
    space.candidate.groups[p * width_ / block_ + begin / block_] =
        space.candidate.scale[p] > 0 ? FitGroup(levels_, group, &weights_[begin], space.candidate.scale[p])
                                     : GroupIntegers();
  }
}

void PanelRounder::RoundBlock(const float* w, std::size_t begin, std::size_t rows, Workspace& space) const {
  Candidate& c = space.candidate;
  // w ~ low + step code, code from least to most.
  float step[kPanel], inverse[kPanel], low[kPanel], loss[kPanel] = {};
  const float least = int8_ ? -127 : 0, most = int8_ ? 127 : static_cast<float>(levels_.largest_code());
  for (std::size_t p = 0; p < rows; ++p) {
    const GroupIntegers& group = c.groups[p * width_ / block_ + begin / block_];
    step[p] = int8_ ? c.scale[p] : c.scale[p] * static_cast<float>(group.multiplier);
    low[p] = int8_ ? 0 : -c.scale[p] * static_cast<float>(group.offset);
    inverse[p] = step[p] > 0 ? 1 / step[p] : 0;
  }
  for (std::size_t j = 0; j < block_; ++j) {
    float(&asked)[kPanel] = space.asked[j];
    for (std::size_t i = 0; i < j; ++i) {
      const float r = factor_.At(begin + i, begin + j);
      for (std::size_t p = 0; p < kPanel; ++p) asked[p] += space.missed[i][p] * r;
    }
    const float diagonal = factor_.At(begin + j, begin + j), over = 1 / diagonal;
    for (std::size_t p = 0; p < rows; ++p) {
      const std::size_t at = p * width_ + begin + j;
      const float target = w[at] + asked[p] * over;
      const float code = std::min(most, std::max(least, RoundFast((target - low[p]) * inverse[p])));
      const float value = low[p] + step[p] * code;
      space.missed[j][p] = space.errors[at] = w[at] - value;
      const float missed = (target - value) * diagonal;
      loss[p] += missed * missed;
      c.codes[at] = static_cast<std::uint8_t>(static_cast<int>(code));
    }
  }
  for (std::size_t p = 0; p < rows; ++p) c.loss[p] += loss[p];
}

void PanelRounder::Pass(const float* w, std::size_t rows, Workspace& space) const {
  space.candidate.loss.fill(0);
  for (std::size_t begin = 0; begin < width_; begin += block_) {
    Ask(begin, rows, space);
    if (!int8_) FitGroups(w, begin, rows, space);
    RoundBlock(w, begin, rows, space);
  }
}

void PanelRounder::Round(const float* w, std::size_t rows, Workspace& space) const {
  // Of the scale that just covers the row. A scale fixed in advance must leave room for what errors add to later
  // weights; the best one is found by trying.
  static constexpr float kInt8Factors[] = {0.80f, 0.86f, 0.91f, 0.96f, 1.0f, 1.05f};
  static constexpr float kTwoLevelFactors[] = {0.7f, 0.85f, 1.0f, 1.2f, 1.45f, 1.8f, 2.3f};
  const std::span<const float> factors = int8_ ? std::span<const float>(kInt8Factors) : kTwoLevelFactors;
  float cover[kPanel];
  for (std::size_t p = 0; p < rows; ++p) {
    const std::span<const float> row(w + p * width_, width_);
    cover[p] = int8_ ? CoveringScale(row) : CoveringScale(levels_, row);
  }
  space.best.loss.fill(INFINITY);
  for (float factor : factors) {
    for (std::size_t p = 0; p < rows; ++p) space.candidate.scale[p] = cover[p] * factor;
    Pass(w, rows, space);
    for (std::size_t p = 0; p < rows; ++p) {
      if (!(space.candidate.loss[p] < space.best.loss[p])) continue;
      space.best.loss[p] = space.candidate.loss[p];
      space.best.scale[p] = space.candidate.scale[p];
      std::copy_n(&space.candidate.codes[p * width_], width_, &space.best.codes[p * width_]);
      std::copy_n(&space.candidate.groups[p * width_ / block_], width_ / block_,
                  &space.best.groups[p * width_ / block_]);
    }
  }
}

void PanelRounder::Integers(const Candidate& panel, std::size_t p, float* out) const {
  for (std::size_t k = 0; k < width_; ++k) {
    const int code = int8_ ? static_cast<std::int8_t>(panel.codes[p * width_ + k]) : panel.codes[p * width_ + k];
    const GroupIntegers& group = panel.groups[(p * width_ + k) / block_];
    out[k] = static_cast<float>(int8_ ? code : group.multiplier * code - group.offset);
  }
}

void PanelRounder::Times(const float* x, std::size_t rows, float* out) const {
  for (std::size_t s = 0; s < width_ / kStrip; ++s) {
    const kernels::Matrix matrix = {.format = WeightFormat::kF32,
                                    .outputs = kStrip,
                                    .inputs = kStrip * (s + 1),
                                    .weights = factor_.Strip(s),
                                    .bias = zeros_.data()};
    kernels_.linear_float(matrix, x, width_, {.end = kStrip, .rows = rows, .out = out + s * kStrip, .stride = width_});
  }
}

double Squares(const float* x, std::size_t size) {
  double sum = 0;
  for (std::size_t k = 0; k < size; ++k) sum += double{x[k]} * x[k];
  return sum;
}

// Writes the panel's row p into the matrix.
void Store(const Candidate& panel, std::size_t p, std::size_t width, std::size_t n, QuantizedMatrix* matrix) {
  const std::uint8_t* codes = &panel.codes[p * width];
  if (!matrix->int8.empty()) {
    Int8Row& row = matrix->int8[n];
    row.scale = panel.scale[p];
    for (std::size_t k = 0; k < width; ++k) row.codes[k] = static_cast<std::int8_t>(codes[k]);
    return;
  }
  TwoLevelRow& row = matrix->two_level[n];
  row.scale = panel.scale[p];
  row.codes.assign(codes, codes + width);
  const std::size_t groups = width / row.group;
  for (std::size_t g = 0; g < groups; ++g) {
    const GroupIntegers& group = panel.groups[p * groups + g];
    row.multipliers[g] = static_cast<std::uint8_t>(group.multiplier);
    row.offsets[g] = static_cast<std::uint8_t>(group.offset);
  }
}

}  // namespace

void QuantizedMatrix::Values(std::size_t row, std::span<float> out) const {
  if (!int8.empty()) {
    for (std::size_t k = 0; k < out.size(); ++k) out[k] = int8[row].scale * static_cast<float>(int8[row].codes[k]);
  } else {
    for (std::size_t k = 0; k < out.size(); ++k)
      out[k] = two_level[row].scale * static_cast<float>(two_level[row].Value(k));
  }
}

QuantizedMatrix RoundRows(WeightFormat format, std::span<const float> weights, std::size_t inputs,
                          base::ThreadTeam& team) {
  QuantizedMatrix matrix;
  const std::size_t rows = weights.size() / inputs;
  const bool int8 = format == WeightFormat::kQ8;
  matrix.format = format;
  (int8 ? matrix.int8.resize(rows) : matrix.two_level.resize(rows));
  ForEach(team, rows, [&](std::size_t n, std::size_t) {
    const std::span<const float> row = weights.subspan(n * inputs, inputs);
    int8 ? QuantizeInt8(row, &matrix.int8[n])
         : QuantizeTwoLevel(format::MatrixLevels(format), row, &matrix.two_level[n]);
  });
  return matrix;
}

GptqReport Gptq(std::span<const float> weights, const Factor& factor, const kernels::Kernels& kernels,
                base::ThreadTeam& team, QuantizedMatrix* matrix) {
  const std::size_t width = factor.width(), rows = matrix->rows();
  const PanelRounder rounder(matrix->format, factor, kernels);
  std::vector<Workspace> spaces(team.size(), Workspace(width));
  GptqReport report = {.rows = rows};
  std::vector<GptqReport> panels((rows + kPanel - 1) / kPanel);
  ForEach(team, panels.size(), [&](std::size_t panel, std::size_t member) {
    Workspace& space = spaces[member];
    const std::size_t first = panel * kPanel, count = std::min(kPanel, rows - first);
    const float* w = &weights[first * width];
    rounder.Round(w, count, space);
    // Plain rounding, for the guard.
    double rounded_loss[kPanel], rounded_error[kPanel];
    for (std::size_t p = 0; p < count; ++p) {
      const std::span<float> row(&space.errors[p * width], width);
      matrix->Values(first + p, row);
      for (std::size_t k = 0; k < width; ++k) row[k] = w[p * width + k] - row[k];
      rounded_error[p] = Squares(row.data(), width);
    }
    rounder.Times(space.errors.data(), count, space.product.data());
    for (std::size_t p = 0; p < count; ++p) rounded_loss[p] = Squares(&space.product[p * width], width);
    // With the integers known, the best scale is that of the least squares of w R - scale v R.
    for (std::size_t p = 0; p < count; ++p) rounder.Integers(space.best, p, &space.errors[p * width]);
    rounder.Times(space.errors.data(), count, space.product.data());
    rounder.Times(w, count, space.other.data());
    for (std::size_t p = 0; p < count; ++p) {
      const float *v = &space.product[p * width], *exact = &space.other[p * width], *row = w + p * width;
      double vv = 0, vw = 0, loss = 0, error = 0;
      for (std::size_t k = 0; k < width; ++k) {
        vv += double{v[k]} * v[k];
        vw += double{v[k]} * exact[k];
      }
      const float scale = space.best.scale[p] = vv > 0 ? static_cast<float>(vw / vv) : 0.0f;
      for (std::size_t k = 0; k < width; ++k) {
        const double missed = exact[k] - double{scale} * v[k], off = row[k] - scale * space.errors[p * width + k];
        loss += missed * missed;
        error += off * off;
      }
      const double allowed = kRunawayFactor * rounded_error[p] + kRunawayError * Squares(row, width);
      const bool keep = scale > 0 && loss < rounded_loss[p] && error <= allowed;
      panels[panel].guarded += keep ? 0 : 1;
      panels[panel].loss += keep ? loss : rounded_loss[p];
      panels[panel].rounded_loss += rounded_loss[p];
      if (keep) Store(space.best, p, width, first + p, matrix);
    }
  });
  for (const GptqReport& panel : panels) {
    report.guarded += panel.guarded;
    report.loss += panel.loss;
    report.rounded_loss += panel.rounded_loss;
  }
  return report;
}

}  // namespace thimble::convert
