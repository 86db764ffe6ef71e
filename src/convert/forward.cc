// The steps of model/encoder.cc in fp32, in chunks of tokens.

#include "convert/forward.h"

#include <algorithm>

#include "base/arena.h"
#include "base/error.h"
#include "convert/parallel.h"

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

Forward::Forward(const ForwardShape& shape, Sequences sequences, std::vector<std::size_t> cuts,
                 const kernels::Kernels& kernels, ThreadTeam& team)
    : shape_(shape),
      sequences_(std::move(sequences)),
      cuts_(std::move(cuts)),
      chunk_(kMaxChunk),
      k_(kernels),
      team_(team),
      x_(sequences_.ids.size() * shape.hidden) {
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
  k_.layer_norm(x, norm.gamma.data(), norm.beta.data(), shape_.epsilon, rows, shape_.hidden);
}

Status Forward::Embed(const ReadRow& word, const ReadRow& position, std::span<const float> type,
                      const NormSource& norm) {
  std::vector<float> place(shape_.hidden);
  float* x = x_.data();
  const std::int32_t* id = sequences_.ids.data();
  for (std::uint32_t length : sequences_.lengths) {
    for (std::uint32_t t = 0; t < length; ++t, ++id, x += shape_.hidden) {
      THIMBLE_RETURN_IF_ERROR(word(static_cast<std::size_t>(*id), {x, shape_.hidden}));
      THIMBLE_RETURN_IF_ERROR(position(t, place));
      for (std::size_t k = 0; k < shape_.hidden; ++k) x[k] += place[k] + type[k];
    }
  }
  Normalize(norm, x_.data(), sequences_.ids.size());
  return Status();
}

Status Forward::Run(const LayerSource& layer, const Watch& watch) {
  FloatMatrix qkv, attention_output, ffn_in, ffn_out;
  THIMBLE_RETURN_IF_ERROR(qkv.Load(layer.qkv));
  THIMBLE_RETURN_IF_ERROR(attention_output.Load(layer.attention_output));
  THIMBLE_RETURN_IF_ERROR(ffn_in.Load(layer.ffn_in));
  THIMBLE_RETURN_IF_ERROR(ffn_out.Load(layer.ffn_out));

  const std::size_t hidden = shape_.hidden, width = hidden / shape_.heads;
  std::vector<float> heads(chunk_ * 3 * hidden), context(chunk_ * hidden);
  std::vector<float> inner(chunk_ * shape_.intermediate);
  const std::size_t scratch_bytes = k_.attention_bytes(chunk_, width);
  THIMBLE_ASSIGN_OR_RETURN(Mapping scratch, Mapping::Create(team_.size() * scratch_bytes));
  std::vector<std::size_t> rows_before;

  float* x = x_.data();
  std::size_t cut = 0;
  const std::vector<std::uint32_t>& lengths = sequences_.lengths;
  for (std::size_t first = 0, end; first < lengths.size(); first = end) {
    while (cut < cuts_.size() && cuts_[cut] <= first) ++cut;
    const std::size_t limit = cut < cuts_.size() ? cuts_[cut] : lengths.size();
    std::size_t rows = 0;
    rows_before.clear();
    for (end = first; end < limit && rows + lengths[end] <= chunk_; ++end) {
      rows_before.push_back(rows);
      rows += lengths[end];
    }
    THIMBLE_RETURN_IF_ERROR(watch(Input::kQkv, first, x, rows));
    Linear(qkv.view, x, rows, Epilogue::kStore, heads.data());
    ForEach(team_, (end - first) * shape_.heads, [&](std::size_t i, std::size_t member) {
      const std::size_t sequence = i / shape_.heads, head = i % shape_.heads, row = rows_before[sequence];
      k_.attention_float({.qkv = &heads[row * 3 * hidden + head * 3 * width],
                          .qkv_stride = 3 * hidden,
                          .tokens = lengths[first + sequence],
                          .queries = lengths[first + sequence],
                          .width = width,
                          .out = &context[row * hidden + head * width],
                          .out_stride = hidden},
                         scratch.bytes().data() + member * scratch_bytes);
    });
    THIMBLE_RETURN_IF_ERROR(watch(Input::kAttentionOutput, first, context.data(), rows));
    Linear(attention_output.view, context.data(), rows, Epilogue::kAdd, x);
    Normalize(layer.attention_norm, x, rows);
    THIMBLE_RETURN_IF_ERROR(watch(Input::kFfnIn, first, x, rows));
    if (shape_.activation == kernels::Activation::kGelu) {
      Linear(ffn_in.view, x, rows, Epilogue::kGelu, inner.data());
    } else {
      Linear(ffn_in.view, x, rows, Epilogue::kStore, inner.data());
      ForEach(team_, rows, [&](std::size_t row, std::size_t) {
        k_.activate(shape_.activation, &inner[row * shape_.intermediate], shape_.intermediate);
      });
    }
    THIMBLE_RETURN_IF_ERROR(watch(Input::kFfnOut, first, inner.data(), rows));
    Linear(ffn_out.view, inner.data(), rows, Epilogue::kAdd, x);
    Normalize(layer.ffn_norm, x, rows);
    x += rows * hidden;
  }
  return Status();
}

}  // namespace thimble::convert
