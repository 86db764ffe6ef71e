// The program in fp32, in chunks of tokens.

#include "convert/forward.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"
#include "convert/parallel.h"
#include "model/relative_bias.h"

namespace thimble::convert {

using kernels::Epilogue;
using kernels::kStrip;
using kernels::Matrix;

// A matrix in the kernels' layout.
struct Forward::FloatMatrix {
  std::vector<float> strips;
  Matrix view;

  Status Load(const MatrixSource& source) {
    const std::size_t inputs = source.spec.inputs;
    view = {.format = kernels::WeightFormat::kF32, .outputs = source.spec.outputs, .inputs = inputs};
    strips.resize(view.outputs * inputs);
    std::vector<float> rows(kStrip * inputs);
    for (std::size_t n = 0; n < view.outputs; n += kStrip) {
      THIMBLE_RETURN_IF_ERROR(source.read(n, rows));
      for (std::size_t c = 0; c < kStrip; ++c) {
        for (std::size_t k = 0; k < inputs; ++k) strips[n * inputs + k * kStrip + c] = rows[c * inputs + k];
      }
    }
    view.weights = strips.data();
    view.bias = source.bias.data();
    return Status();
  }
};

Forward::Forward(const model::Program& program, Sequences sequences, std::vector<std::size_t> cuts,
                 const kernels::Kernels& kernels, base::ThreadTeam& team)
    : program_(program),
      sequences_(std::move(sequences)),
      cuts_(std::move(cuts)),
      chunk_(kMaxChunk),
      k_(kernels),
      team_(team),
      x_(sequences_.ids.size() * program.architecture.hidden) {
  for (std::size_t length : sequences_.lengths) chunk_ = std::max(chunk_, length);
}

void Forward::Linear(const Matrix& w, const float* x, std::size_t rows, Epilogue epilogue, float* out) {
  constexpr std::size_t kRows = 32;
  ForEach(team_, (rows + kRows - 1) / kRows, [&](std::size_t i, std::size_t) {
    k_.linear_float(w, x + i * kRows * w.inputs, w.inputs,
                    {.end = w.outputs,
                     .rows = std::min(kRows, rows - i * kRows),
                     .epilogue = epilogue,
                     .out = out + i * kRows * w.outputs,
                     .stride = w.outputs});
  });
}

void Forward::Normalize(const NormSource& norm, float* x, std::size_t rows) {
  const model::Architecture& a = program_.architecture;
  k_.layer_norm(x, norm.gamma.data(), norm.beta.data(), static_cast<float>(a.norm_epsilon), rows, a.hidden);
}

Status Forward::Embed(const ReadRow& word, const ReadRow& position, std::span<const float> type,
                      std::span<const float> second_type, const NormSource& norm) {
  const std::size_t hidden = program_.architecture.hidden;
  std::vector<float> place(hidden);
  float* x = x_.data();
  const std::int32_t* id = sequences_.ids.data();
  for (std::size_t i = 0; i < sequences_.lengths.size(); ++i) {
    model::PositionRows positions(program_.architecture);
    for (std::uint32_t t = 0; t < sequences_.lengths[i]; ++t, ++id, x += hidden) {
      const std::span<const float> own = second_type.empty() || t < sequences_.seconds[i] ? type : second_type;
      THIMBLE_RETURN_IF_ERROR(word(static_cast<std::size_t>(*id), {x, hidden}));
      THIMBLE_RETURN_IF_ERROR(position(positions.Next(*id), place));
      for (std::size_t k = 0; k < hidden; ++k) x[k] += place[k] + own[k];
    }
  }
  Normalize(norm, x_.data(), sequences_.ids.size());
  return Status();
}

void Forward::SetRelativeBias(std::span<const float> bias) {
  const model::Architecture& a = program_.architecture;
  const std::size_t row = model::BiasRowFloats(a.relative_reach), line = model::BiasLineFloats(chunk_);
  bias_lines_.resize(a.heads * line);
  for (std::size_t head = 0; head < a.heads; ++head) {
    model::FillBiasLine(bias.data() + head * row, a.relative_reach, chunk_, bias_lines_.data() + head * line);
  }
}

void Forward::Attend(const float* heads, std::span<const std::uint32_t> lengths, base::Mapping& scratch,
                     float* context) {
  const std::size_t count = program_.architecture.heads, width = program_.architecture.head_width();
  std::vector<std::size_t> rows_before(lengths.size());
  std::exclusive_scan(lengths.begin(), lengths.end(), rows_before.begin(), std::size_t{0});
  ForEach(team_, lengths.size() * count, [&](std::size_t i, std::size_t member) {
    const std::size_t sequence = i / count, head = i % count, row = rows_before[sequence];
    const float* bias = nullptr;
    if (!bias_lines_.empty()) bias = &bias_lines_[head * model::BiasLineFloats(chunk_) + (chunk_ - 1)];
    k_.attention_float({.qkv = heads + (row * count + head) * 3 * width,
                        .qkv_stride = 3 * count * width,
                        .tokens = lengths[sequence],
                        .queries = lengths[sequence],
                        .width = width,
                        .out = context + (row * count + head) * width,
                        .out_stride = count * width,
                        .bias = bias},
                       scratch.bytes().data() + member * (scratch.bytes().size() / team_.size()));
  });
}

Status Forward::Run(const LayerSource& layer, const Watch& watch) {
  std::vector<FloatMatrix> matrices(layer.matrices.size());
  for (std::size_t i = 0; i < matrices.size(); ++i) THIMBLE_RETURN_IF_ERROR(matrices[i].Load(layer.matrices[i]));

  const model::Architecture& a = program_.architecture;
  std::vector<float> heads(chunk_ * 3 * a.hidden), context(chunk_ * a.hidden), inner(chunk_ * a.intermediate);
  THIMBLE_ASSIGN_OR_RETURN(base::Mapping scratch,
                           base::Mapping::Create(team_.size() * k_.attention_bytes(chunk_, a.head_width())));

  float* x = x_.data();
  std::size_t cut = 0;
  const std::vector<std::uint32_t>& lengths = sequences_.lengths;
  for (std::size_t first = 0, end; first < lengths.size(); first = end) {
    while (cut < cuts_.size() && cuts_[cut] <= first) ++cut;
    const std::size_t limit = cut < cuts_.size() ? cuts_[cut] : lengths.size();
    std::size_t rows = 0;
    for (end = first; end < limit && rows + lengths[end] <= chunk_; ++end) rows += lengths[end];
    auto rows_of = [&](model::Buffer buffer) {
      return buffer == model::Buffer::kStream ? x : buffer == model::Buffer::kContext ? context.data() : inner.data();
    };
    for (const model::Step& step : program_.layer) {
      const float* in = rows_of(step.in);
      float* out = rows_of(step.out);
      if (step.kind == model::Step::Kind::kNorm) {
        Normalize(layer.norms[step.index], out, rows);
        continue;
      }
      THIMBLE_RETURN_IF_ERROR(watch(step.index, first, in, rows));
      const Matrix& matrix = matrices[step.index].view;
      if (step.kind == model::Step::Kind::kAttention) {
        Linear(matrix, in, rows, Epilogue::kStore, heads.data());
        Attend(heads.data(), std::span(lengths).subspan(first, end - first), scratch, out);
        continue;
      }
      Linear(matrix, in, rows, step.epilogue, out);
      if (!step.activation) continue;
      ForEach(team_, rows, [&](std::size_t row, std::size_t) {
        k_.activate(*step.activation, out + row * step.outputs, step.outputs);
      });
    }
    x += rows * a.hidden;
  }
  return Status();
}

}  // namespace thimble::convert
