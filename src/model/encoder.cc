// The forward pass of BERT over a tile of sequences laid end to end.

#include "model/encoder.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace thimble {
namespace {

using kernels::AttentionHead;
using kernels::Epilogue;
using kernels::LinearOutput;
using kernels::QuantizedRows;
using kernels::Table;

// Rows of the word table, and of the feed-forward network's inner activations, held at once: enough to reuse each
// weight panel from the first-level cache, few enough that they stay in the second-level cache and off the memory
// budget.
constexpr std::size_t kBlockRows = 32;

QuantizedRows TakeRows(Arena& arena, std::size_t rows, std::size_t width) {
  return {.values = arena.Take<std::uint8_t>(rows * width), .stride = width, .scale = arena.Take<float>(rows)};
}

QuantizedRows From(const QuantizedRows& rows, std::size_t row) {
  return {.values = rows.values + row * rows.stride, .stride = rows.stride, .scale = rows.scale + row};
}

// The table without its first rows.
Table RowsFrom(const Table& table, std::size_t row) {
  Table rest = table;
  rest.rows -= row;
  rest.values = static_cast<const std::byte*>(table.values) + row * kernels::RowBytes(table.format, table.width);
  if (table.scale != nullptr) rest.scale += row;
  return rest;
}

}  // namespace

Encoder::Encoder(const Weights& weights, const kernels::Kernels& kernels, TileShape shape, Arena& arena)
    : w_(weights), k_(kernels), block_(std::min(shape.tokens, kBlockRows)) {
  x_ = arena.Take<float>(shape.tokens * w_.hidden);
  attention_ = arena.Take<std::byte>(kernels::AttentionBytes(shape.longest, w_.head_width));
  if (w_.int8) {
    codes_ = TakeRows(arena, shape.tokens, w_.hidden);
    workspace_ = arena.Take<float>(w_.intermediate);
    panel_ = arena.Take<std::int8_t>(kernels::PanelBytes(std::max(w_.hidden, w_.intermediate)));
  }
  // Embedding, attention and the feed-forward network take turns on the rest.
  std::size_t begin = arena.used();
  head_ = arena.Take<float>(shape.tokens * 3 * w_.head_width);
  context_ = arena.Take<float>(shape.tokens * w_.hidden);
  std::size_t end = arena.used();
  arena.Rewind(begin);
  words_ = arena.Take<std::byte>(block_ * w_.words.row_bytes);
  end = std::max(end, arena.used());
  arena.Rewind(begin);
  inner_ = arena.Take<float>(block_ * w_.intermediate);
  if (w_.int8) inner_codes_ = TakeRows(arena, block_, w_.intermediate);
  arena.Rewind(std::max(arena.used(), end));
}

Result<std::span<const float>> Encoder::Encode(std::span<const std::int32_t> ids,
                                               std::span<const std::uint32_t> lengths) {
  rows_ = ids.size();
  std::size_t row = 0;
  for (std::uint32_t length : lengths) {
    THIMBLE_RETURN_IF_ERROR(Embed(ids.subspan(row, length), x_ + row * w_.hidden));
    row += length;
  }
  Normalize(w_.embedding_norm);
  for (const LayerWeights& layer : w_.layers) {
    Attention(layer, lengths);
    Normalize(layer.attention_norm);
    FeedForward(layer);
    Normalize(layer.ffn_norm);
  }
  return std::span<const float>(x_, rows_ * w_.hidden);
}

Status Encoder::Embed(std::span<const std::int32_t> ids, float* x) {
  // A block of rows is copied from the file, and is then a word table of its own with ids that count.
  std::int32_t places[kBlockRows];
  std::uint16_t scales[kBlockRows];
  std::iota(places, places + kBlockRows, 0);
  Table words = w_.words.table;
  words.values = words_;
  words.scale = w_.words.table.scale == nullptr ? nullptr : scales;
  for (std::size_t begin = 0; begin < ids.size(); begin += block_) {
    const std::size_t count = std::min(block_, ids.size() - begin);
    const std::span<const std::int32_t> block = ids.subspan(begin, count);
    THIMBLE_RETURN_IF_ERROR(w_.words.Read(block, words_));
    if (words.scale != nullptr) {
      for (std::size_t i = 0; i < count; ++i) scales[i] = w_.words.table.scale[block[i]];
    }
    k_.embed(words, RowsFrom(w_.positions, begin), w_.embedding_offset, {places, count}, x + begin * w_.hidden);
  }
  return Status();
}

void Encoder::Attention(const LayerWeights& layer, std::span<const std::uint32_t> lengths) {
  const std::size_t width = w_.head_width;
  for (std::size_t h = 0; h < w_.info.heads; ++h) {
    LinearOutput qkv = {
        .begin = 3 * width * h, .end = 3 * width * (h + 1), .rows = rows_, .out = head_, .stride = 3 * width};
    if (w_.int8) {
      k_.linear_int8(layer.qkv, codes_, qkv, panel_);
    } else {
      k_.linear_float(layer.qkv, x_, w_.hidden, qkv);
    }
    std::size_t row = 0;
    for (std::uint32_t length : lengths) {
      AttentionHead head = {.qkv = head_ + row * 3 * width,
                            .qkv_stride = 3 * width,
                            .tokens = length,
                            .width = width,
                            .out = context_ + row * w_.hidden + width * h,
                            .out_stride = w_.hidden};
      (w_.int8 ? k_.attention_int8 : k_.attention_float)(head, attention_);
      row += length;
    }
  }
  LinearOutput out = {.end = w_.hidden, .rows = rows_, .epilogue = Epilogue::kAdd, .out = x_, .stride = w_.hidden};
  if (w_.int8) {
    k_.quantize(context_, rows_, w_.hidden, nullptr, workspace_, codes_);
    k_.linear_int8(layer.attention_output, codes_, out, panel_);
  } else {
    k_.linear_float(layer.attention_output, context_, w_.hidden, out);
  }
}

void Encoder::FeedForward(const LayerWeights& layer) {
  for (std::size_t row = 0; row < rows_; row += block_) {
    const std::size_t rows = std::min(block_, rows_ - row);
    float* x = x_ + row * w_.hidden;
    LinearOutput in = {
        .end = w_.intermediate, .rows = rows, .epilogue = Epilogue::kGelu, .out = inner_, .stride = w_.intermediate};
    LinearOutput out = {.end = w_.hidden, .rows = rows, .epilogue = Epilogue::kAdd, .out = x, .stride = w_.hidden};
    if (w_.int8) {
      k_.linear_int8(layer.ffn_in, From(codes_, row), in, panel_);
      k_.quantize(inner_, rows, w_.intermediate, &w_.intermediate_rotation, workspace_, inner_codes_);
      k_.linear_int8(layer.ffn_out, inner_codes_, out, panel_);
    } else {
      k_.linear_float(layer.ffn_in, x, w_.hidden, in);
      k_.linear_float(layer.ffn_out, inner_, w_.intermediate, out);
    }
  }
}

void Encoder::Normalize(const NormWeights& norm) {
  for (std::size_t row = 0; row < rows_; ++row) {
    float* x = x_ + row * w_.hidden;
    k_.layer_norm(x, norm.gamma, norm.beta, w_.layer_norm_epsilon, 1, w_.hidden);
    if (w_.int8) k_.quantize(x, 1, w_.hidden, &w_.hidden_rotation, workspace_, From(codes_, row));
  }
}

}  // namespace thimble
