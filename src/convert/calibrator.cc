// From the inputs of a layer's matrices to their rounded rows.

#include "convert/calibrator.h"

#include <algorithm>

#include "base/error.h"
#include "convert/parallel.h"

namespace thimble::convert {
namespace {

constexpr double kDamping = 0.01;  // Of the mean of the diagonal of H.

}  // namespace

Calibrator::Calibrator(const model::Program& program, std::size_t fit, std::size_t end, const kernels::Kernels& kernels,
                       base::ThreadTeam& team)
    : fit_(fit), end_(end), kernels_(kernels), team_(team) {
  for (const model::Step& step : program.layer) {
    if (step.kind != model::Step::Kind::kNorm) seen_.push_back({Moments(step.inputs, kernels), {}});
  }
}

void Calibrator::Begin() {
  for (Seen& seen : seen_) {
    seen.moments.Clear();
    seen.unseen.clear();
  }
}

void Calibrator::Watch(std::size_t matrix, std::size_t first, const float* x, std::size_t rows) {
  Seen& seen = seen_[matrix];
  if (first < fit_) {
    seen.moments.Add(x, rows, team_);
  } else if (first < end_) {
    seen.unseen.insert(seen.unseen.end(), x, x + rows * seen.moments.width());
  }
}

double Calibrator::OutputError(std::span<const float> weights, const QuantizedMatrix& matrix,
                               std::span<const float> unseen, std::size_t inputs) {
  const std::size_t strips = matrix.rows() / kernels::kStrip, tokens = unseen.size() / inputs;
  struct Workspace {
    std::vector<float> errors, row, outputs;
  };
  std::vector<Workspace> spaces(team_.size());
  std::vector<double> sums(strips);
  const std::vector<float> zeros(kernels::kStrip);
  ForEach(team_, strips, [&](std::size_t s, std::size_t member) {
    Workspace& space = spaces[member];
    space.errors.resize(kernels::kStrip * inputs);
    space.row.resize(inputs);
    space.outputs.resize(tokens * kernels::kStrip);
    for (std::size_t c = 0; c < kernels::kStrip; ++c) {
      const std::size_t n = s * kernels::kStrip + c;
      matrix.Values(n, space.row);
      for (std::size_t k = 0; k < inputs; ++k) {
        space.errors[k * kernels::kStrip + c] = weights[n * inputs + k] - space.row[k];
      }
    }
    const kernels::Matrix errors = {.format = kernels::WeightFormat::kF32,
                                    .outputs = kernels::kStrip,
                                    .inputs = inputs,
                                    .weights = space.errors.data(),
                                    .bias = zeros.data()};
    kernels_.linear_float(
        errors, unseen.data(), inputs,
        {.end = kernels::kStrip, .rows = tokens, .out = space.outputs.data(), .stride = kernels::kStrip});
    for (float output : space.outputs) sums[s] += double{output} * output;
  });
  double sum = 0;
  for (double part : sums) sum += part;
  return sum;
}

Result<QuantizedMatrix> Calibrator::Quantize(std::size_t index, const MatrixSource& source) {
  const MatrixSpec& spec = source.spec;
  Seen& seen = seen_[index];
  std::vector<float> weights(spec.outputs * spec.inputs);
  for (std::size_t n = 0; n < spec.outputs; n += kernels::kStrip) {
    THIMBLE_RETURN_IF_ERROR(source.read(n, std::span(weights).subspan(n * spec.inputs, kernels::kStrip * spec.inputs)));
  }
  if (spec.rotation) {
    ForEach(team_, spec.outputs, [&](std::size_t n, std::size_t) {
      RotateWeights(*spec.rotation, std::span(weights).subspan(n * spec.inputs, spec.inputs));
    });
  }
  QuantizedMatrix rounded = RoundRows(spec.format, weights, spec.inputs, team_);
  const std::optional<Factor> factor = Factor::Create(seen.moments, spec.rotation, kDamping, team_);
  if (!factor) {
    report_.refused.push_back(spec.name);
    return rounded;
  }
  QuantizedMatrix matrix = rounded;
  const GptqReport gptq = Gptq(weights, *factor, kernels_, team_, &matrix);
  std::vector<float> unseen = seen.unseen;
  if (spec.rotation) {
    ForEach(team_, unseen.size() / spec.inputs, [&](std::size_t t, std::size_t) {
      RotateWeights(*spec.rotation, std::span(unseen).subspan(t * spec.inputs, spec.inputs));
    });
  }
  const double before = OutputError(weights, rounded, unseen, spec.inputs);
  const double after = OutputError(weights, matrix, unseen, spec.inputs);
  if (!(after < before)) {
    report_.refused.push_back(spec.name);
    return rounded;
  }
  ++report_.matrices;
  report_.rows += gptq.rows;
  report_.guarded += gptq.guarded;
  return matrix;
}

}  // namespace thimble::convert
