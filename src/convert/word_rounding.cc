// The derivatives of vectors by the components of a word's row, by differences.

#include "convert/word_rounding.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "base/error.h"
#include "convert/parallel.h"

namespace thimble::convert {
namespace {

// A sequence: the first token, words, the last token.
constexpr std::size_t kTokens = 5;
// Of all sequences together: a pass takes two to three times as long as without.
constexpr std::size_t kAllTokens = 32768;
constexpr std::size_t kUnseen = 4;  // Every fourth sample is kept for the check.
// Of the length of a row: small enough to be linear, and a thousand times what fp32 rounds away.
constexpr float kStep = 0.01f;
constexpr double kDamping = 0.1;  // Of the mean of the diagonal: there are few samples.

}  // namespace

WordRounder::WordRounder(std::size_t hidden, std::size_t fit, const kernels::Kernels& kernels, base::ThreadTeam& team,
                         Sequences* sequences)
    : hidden_(hidden), first_(sequences->lengths.size()), kernels_(kernels), team_(team), unseen_(hidden * hidden) {
  std::vector<std::size_t> begin, long_enough;
  std::size_t token = 0;
  for (std::size_t i = 0; i < first_; ++i) {
    begin.push_back(token);
    token += sequences->lengths[i];
    if (i < fit && sequences->lengths[i] >= kTokens) long_enough.push_back(i);
  }
  if (long_enough.empty()) return;
  const std::size_t count = std::max(2 * kUnseen, kAllTokens / (kTokens * (hidden + 1)));
  for (std::size_t s = 0; s < count; ++s) {
    const std::size_t i = long_enough[s * long_enough.size() / count], length = sequences->lengths[i];
    std::vector<std::int32_t> ids(&sequences->ids[begin[i]], &sequences->ids[begin[i]] + length);
    const std::size_t skipped = s % (length - kTokens + 1);
    ids.erase(ids.begin() + 1, ids.begin() + 1 + static_cast<std::ptrdiff_t>(skipped));
    ids.erase(ids.begin() + kTokens - 1, ids.end() - 1);
    samples_.push_back({.begin = token, .place = 1 + s % (kTokens - 2)});
    for (std::size_t copy = 0; copy <= hidden; ++copy) sequences->Add(ids);
    token += (hidden + 1) * kTokens;
  }
}

Forward::ReadRow WordRounder::Probe(Forward::ReadRow word) {
  return [this, word = std::move(word), token = std::size_t{0}](std::size_t row, std::span<float> out) mutable {
    THIMBLE_RETURN_IF_ERROR(word(row, out));
    const std::size_t at = token++;
    if (samples_.empty() || at < samples_.front().begin) return Status();
    const std::size_t each = (hidden_ + 1) * kTokens, from = at - samples_.front().begin;
    Sample& sample = samples_[from / each];
    if (from % kTokens != sample.place) return Status();
    const std::size_t copy = from % each / kTokens;  // The first is as it is.
    if (copy == 0) {
      double squares = 0;
      for (float value : out) squares += double{value} * value;
      sample.step = squares > 0 ? kStep * static_cast<float>(std::sqrt(squares)) : kStep;
    } else {
      out[copy - 1] += sample.step;
    }
    return Status();
  };
}

void WordRounder::Learn(std::span<const float> vectors) {
  if (samples_.empty()) return;
  const std::size_t dimensions = vectors.size() / (samples_.size() * (hidden_ + 1));
  std::vector<double> h(hidden_ * hidden_), one(hidden_ * hidden_);
  std::vector<float> changes(hidden_ * dimensions);
  for (std::size_t s = 0; s < samples_.size(); ++s) {
    const float* vector = &vectors[s * (hidden_ + 1) * dimensions];
    for (std::size_t k = 0; k < changes.size(); ++k) {
      changes[k] = (vector[dimensions + k] - vector[k % dimensions]) / samples_[s].step;
    }
    ForEach(team_, hidden_, [&](std::size_t i, std::size_t) {
      for (std::size_t j = i; j < hidden_; ++j) {
        double sum = 0;
        for (std::size_t d = 0; d < dimensions; ++d) {
          sum += double{changes[i * dimensions + d]} * changes[j * dimensions + d];
        }
        one[i * hidden_ + j] = one[j * hidden_ + i] = sum;
      }
    });
    double trace = 0;
    for (std::size_t i = 0; i < hidden_; ++i) trace += one[i * hidden_ + i];
    if (!(trace > 0) || !std::isfinite(trace)) continue;
    // Samples count alike: rounding is relative to the row.
    std::vector<double>& sum = s % kUnseen == kUnseen - 1 ? unseen_ : h;
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += one[i] / trace;
  }
  double mean = 0;
  for (std::size_t i = 0; i < hidden_; ++i) mean += h[i * hidden_ + i] / static_cast<double>(hidden_);
  for (std::size_t i = 0; i < hidden_; ++i) h[i * hidden_ + i] += kDamping * mean;
  if (mean > 0) factor_ = Factor::Create(std::move(h), hidden_, team_);
}

double WordRounder::Loss(std::span<const float> rows, const QuantizedMatrix& matrix) const {
  std::vector<double> losses(matrix.rows());
  ForEach(team_, matrix.rows(), [&](std::size_t n, std::size_t) {
    std::vector<float> errors(hidden_);
    matrix.Values(n, errors);
    for (std::size_t k = 0; k < hidden_; ++k) errors[k] -= rows[n * hidden_ + k];
    for (std::size_t i = 0; i < hidden_; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < hidden_; ++j) sum += unseen_[i * hidden_ + j] * double{errors[j]};
      losses[n] += sum * double{errors[i]};
    }
  });
  double loss = 0;
  for (double part : losses) loss += part;
  return loss;
}

QuantizedMatrix WordRounder::Round(std::span<const float> rows) {
  QuantizedMatrix plain = RoundRows(kernels::WeightFormat::kQ4, rows, hidden_, team_, Rows::kOfTable);
  if (!factor_) return plain;
  QuantizedMatrix matrix = plain;
  const GptqReport report = Gptq(rows, *factor_, kernels_, team_, &matrix);
  if (!checked_ && !(Loss(rows, matrix) < Loss(rows, plain))) {
    factor_.reset();
    return plain;
  }
  checked_ = true;
  rounded_ += report.rows - report.guarded;
  return matrix;
}

}  // namespace thimble::convert
