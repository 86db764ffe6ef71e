// Sums of outer products by the kernels' matrix product, and a blocked Cholesky decomposition.

#include <algorithm>
#include <cmath>

#include "convert/gptq.h"
#include "convert/parallel.h"
#include "convert/quantize.h"

namespace thimble::convert {
namespace {

using kernels::kStrip;

constexpr std::size_t kBlock = 64;

// Sum of a[k] b[k] over kBlock values: four sums side by side, which a compiler keeps in vectors.
double Dot(const double* a, const double* b) {
  double sums[4] = {};
  for (std::size_t k = 0; k < kBlock; k += 4) {
    for (std::size_t i = 0; i < 4; ++i) sums[i] += a[k + i] * b[k + i];
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

// Factors the block of rows and columns [begin, begin + kBlock) in place: L L^T, L below and on the diagonal. False
// when it is not positive definite.
bool FactorDiagonal(double* a, std::size_t width, std::size_t begin) {
  for (std::size_t i = begin; i < begin + kBlock; ++i) {
    for (std::size_t j = begin; j <= i; ++j) {
      double sum = a[i * width + j];
      for (std::size_t k = begin; k < j; ++k) sum -= a[i * width + k] * a[j * width + k];
      if (i != j) {
        a[i * width + j] = sum / a[j * width + j];
      } else if (sum > 0 && std::isfinite(sum)) {
        a[i * width + i] = std::sqrt(sum);
      } else {
        return false;
      }
    }
  }
  return true;
}

// Cholesky's decomposition in place, the right-looking way: a block of columns, then what it takes from the rest.
bool Decompose(double* a, std::size_t width, base::ThreadTeam& team) {
  for (std::size_t begin = 0; begin < width; begin += kBlock) {
    if (!FactorDiagonal(a, width, begin)) return false;
    const std::size_t rest = begin + kBlock;
    ForEach(team, width - rest, [&](std::size_t round, std::size_t) {
      double* row = a + (rest + round) * width;
      for (std::size_t j = begin; j < rest; ++j) {
        double sum = row[j];
        for (std::size_t k = begin; k < j; ++k) sum -= row[k] * a[j * width + k];
        row[j] = sum / a[j * width + j];
      }
    });
    ForEach(team, width - rest, [&](std::size_t round, std::size_t) {
      const std::size_t i = width - 1 - round;  // The longest first.
      for (std::size_t j = rest; j <= i; ++j) a[i * width + j] -= Dot(a + i * width + begin, a + j * width + begin);
    });
  }
  return true;
}

}  // namespace

Moments::Moments(std::size_t width, const kernels::Kernels& kernels)
    : width_(width),
      kernels_(kernels),
      second_(width * width),
      columns_(width * kMaxRows),
      strips_(width * kMaxRows),
      zeros_(width) {}

void Moments::Clear() {
  tokens_ = 0;
  std::fill(second_.begin(), second_.end(), 0.0f);
}

void Moments::Add(const float* x, std::size_t rows, base::ThreadTeam& team) {
  ForEach(team, width_ / kStrip, [&](std::size_t s, std::size_t) {
    float* strip = &strips_[s * rows * kStrip];
    for (std::size_t t = 0; t < rows; ++t) {
      for (std::size_t c = 0; c < kStrip; ++c) {
        const std::size_t k = kStrip * s + c;
        const float value = x[t * width_ + k];
        strip[t * kStrip + c] = value;
        columns_[k * kMaxRows + t] = value;
      }
    }
  });
  // Product of the columns with themselves: row k of H from its diagonal on.
  const kernels::Matrix matrix = {.format = kernels::WeightFormat::kF32,
                                  .outputs = width_,
                                  .inputs = rows,
                                  .weights = strips_.data(),
                                  .bias = zeros_.data()};
  constexpr std::size_t kRows = 32;
  ForEach(team, width_ / kRows, [&](std::size_t round, std::size_t) {
    const std::size_t k = round * kRows;
    kernels_.linear_float(matrix, &columns_[k * kMaxRows], kMaxRows,
                          {.begin = k,
                           .end = width_,
                           .rows = kRows,
                           .epilogue = kernels::Epilogue::kAdd,
                           .out = &second_[k * width_ + k],
                           .stride = width_});
  });
  tokens_ += rows;
}

Factor::Factor(std::size_t width)
    : width_(width), strips_(kStrip * kStrip * (width / kStrip * (width / kStrip + 1) / 2)) {}

std::optional<Factor> Factor::Create(const Moments& moments, const std::optional<kernels::Rotation>& rotation,
                                     double damping, base::ThreadTeam& team) {
  const std::size_t width = moments.width();
  const std::span<const float> second = moments.second();
  std::vector<double> h(width * width);
  for (std::size_t i = 0; i < width; ++i) {
    for (std::size_t j = i; j < width; ++j) {
      h[i * width + j] = h[j * width + i] = second[i * width + j];
    }
  }
  if (rotation) {
    // R^T H R: the rows, then, H being symmetric, the rows of its transpose.
    std::vector<float> row(width);
    for (int side = 0; side < 2; ++side) {
      for (std::size_t i = 0; i < width; ++i) {
        for (std::size_t k = 0; k < width; ++k) row[k] = static_cast<float>(h[i * width + k]);
        RotateWeights(*rotation, row);
        std::copy_n(row.begin(), width, &h[i * width]);
      }
      for (std::size_t i = 0; i < width; ++i) {
        for (std::size_t j = 0; j < i; ++j) std::swap(h[i * width + j], h[j * width + i]);
      }
    }
  }
  double mean = 0;
  for (std::size_t i = 0; i < width; ++i) mean += h[i * width + i] / static_cast<double>(width);
  const double added = mean > 0 ? damping * mean : 1;  // Inputs that are always zero leave every weight alike.
  for (std::size_t i = 0; i < width; ++i) h[i * width + i] += added;
  return Create(std::move(h), width, team);
}

std::optional<Factor> Factor::Create(std::vector<double> h, std::size_t width, base::ThreadTeam& team) {
  // With rows and columns in reverse, Cholesky's lower triangle is R.
  std::reverse(h.begin(), h.end());
  if (!Decompose(h.data(), width, team)) return std::nullopt;
  Factor factor(width);
  for (std::size_t j = 0; j < width; ++j) {
    float* strip = &factor.strips_[static_cast<std::size_t>(factor.Strip(j / kStrip) - factor.strips_.data())];
    for (std::size_t i = 0; i <= j; ++i) {
      strip[i * kStrip + j % kStrip] = static_cast<float>(h[(width - 1 - i) * width + (width - 1 - j)]);
    }
  }
  return factor;
}

}  // namespace thimble::convert
