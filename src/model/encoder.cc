// The forward pass of BERT over a tile of sequences laid end to end.

#include "model/encoder.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/finite.h"
#include "base/steps.h"

namespace thimble::inline v0_1 {
namespace {

using kernels::AttentionHead;
using kernels::Epilogue;
using kernels::kStrip;
using kernels::LinearOutput;
using kernels::QuantizedRows;
using kernels::Rotation;
using kernels::Table;

// Rows of the word table, and of the feed-forward network's inner activations, held at once: enough to reuse each
// weight panel from the first-level cache, few enough that they stay in the second-level cache.
constexpr std::size_t kBlockRows = 64;
// A quarter of a tile's rows takes about the memory of attention, which has its turn there; less than 32 is slower.
std::size_t BlockRows(std::size_t tokens) {
  return std::min(tokens, std::clamp<std::size_t>(tokens / 4, 32, kBlockRows));
}
// Rows that a matrix product needs to run at full speed.
constexpr std::size_t kFullRows = 8;
// Outputs that a member takes at a time: a whole tile of the widest instruction set.
constexpr std::size_t kOutputStep = kernels::kMaxTileStrips * kStrip;

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

// Marks what was computed with a value that is not finite, where a later step would hide that.
constexpr float kNotFinite = std::numeric_limits<float>::quiet_NaN();

}  // namespace

Encoder::Encoder(const Weights& weights, const kernels::Kernels& kernels, TileShape shape, Arena& arena)
    : w_(weights), k_(kernels), block_(BlockRows(shape.tokens)) {
  x_ = arena.Take<float>(shape.tokens * w_.hidden);
  attention_ = arena.Take<std::byte>(k_.attention_bytes(shape.longest, w_.head_width));
  if (w_.int8) {
    codes_ = TakeRows(arena, shape.tokens, w_.hidden);
    workspace_ = arena.Take<float>(w_.intermediate);
    panel_ = arena.Take<std::int8_t>(k_.panel_bytes(std::max(w_.hidden, w_.intermediate)));
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

struct Encoder::Schedule {
  std::size_t members = 1;
  std::size_t heads = 0, hidden = 0, intermediate = 0, layers = 0;
  std::size_t rows = 0;   // Of the tile.
  std::size_t block = 0;  // Rows that the feed-forward network takes at once.
  WantedRows wanted = WantedRows::kAll;
  std::size_t sequences = 0;
  std::span<const Step> steps;       // Of a layer,
  std::span<const Step> last_steps;  // and of the last.

  // Step 0 embeds; those of the layers follow.
  std::size_t Count() const { return 1 + (layers - 1) * steps.size() + last_steps.size(); }
  std::size_t LayerOf(std::size_t step) const { return std::min((step - 1) / steps.size(), layers - 1); }
  Step StepOf(std::size_t step) const {
    const std::size_t layer = LayerOf(step);
    return (layer + 1 < layers ? steps : last_steps)[step - 1 - layer * steps.size()];
  }
  // Whether only the first rows of the sequences are left to do.
  bool FirstRows(std::size_t step) const {
    return wanted == WantedRows::kFirst && step > 0 && LayerOf(step) + 1 == layers;
  }

  std::size_t Parts(std::size_t step) const {
    // Several parts of rows have enough for full speed, and fit into a block.
    const std::size_t most = (rows + kFullRows - 1) / kFullRows, least = (rows + block - 1) / block;
    const std::size_t of_rows = members == 1 ? 1 : std::min(most, std::max(members, least));
    if (step == 0) return of_rows;
    switch (StepOf(step)) {
      case Step::kAttend:
        return heads;
      case Step::kProjectOutputs:
      case Step::kOutputs:
        return std::min(members, hidden / kStrip);
      case Step::kInnerOutputs:
        return std::min(members, intermediate / kStrip);
      default:
        return FirstRows(step) ? 1 : of_rows;
    }
  }
};

Encoder::Range Encoder::Share(std::size_t count, std::size_t step, std::size_t part, std::size_t parts) {
  const std::size_t steps = (count + step - 1) / step;
  return {std::min(count, steps * part / parts * step), std::min(count, steps * (part + 1) / parts * step)};
}

Result<std::span<const float>> Encoder::Encode(std::span<const std::int32_t> ids,
                                               std::span<const std::uint32_t> lengths, WantedRows wanted,
                                               const Crew& crew) {
  static constexpr Step kByRows[] = {Step::kAttend, Step::kProject, Step::kFeedForward};
  static constexpr Step kByOutputs[] = {
      Step::kAttend,       Step::kQuantizeContext, Step::kProjectOutputs, Step::kNormalizeProjected,
      Step::kInnerOutputs, Step::kQuantizeInner,   Step::kOutputs,        Step::kNormalizeOutputs};
  ids_ = ids;
  lengths_ = lengths;
  failed_ = false;
  const std::size_t rows = ids.size();
  // More members than that would find too little to do in a step.
  const std::size_t useful = 2 * ((rows + kFullRows - 1) / kFullRows);
  const std::size_t members = std::max<std::size_t>(1, std::min(crew.encoders.size(), useful));
  const bool by_outputs = members > 1 && rows < members * kFullRows && rows <= block_;
  const std::span<const Step> steps = by_outputs ? std::span<const Step>(kByOutputs) : kByRows;
  const Schedule schedule = {.members = members,
                             .heads = w_.info.heads,
                             .hidden = w_.hidden,
                             .intermediate = w_.intermediate,
                             .layers = w_.layers.size(),
                             .rows = rows,
                             .block = block_,
                             .wanted = wanted,
                             .sequences = lengths.size(),
                             .steps = steps,
                             .last_steps = wanted == WantedRows::kFirst ? std::span<const Step>(kByRows) : steps};
  Steps work(schedule.Count());
  auto join = [&](Encoder& encoder) {
    work.Run([&](std::size_t step) { return schedule.Parts(step); },
             [&](std::size_t step, std::size_t part) { encoder.Do(*this, schedule, step, part); });
  };
  if (members == 1) {
    join(*this);
  } else {
    crew.team->Run([&](std::size_t member) {
      if (member < members) join(*crew.encoders[member]);
    });
  }
  if (failed_) {
    if (!status_.ok()) return std::exchange(status_, Status());
    for (Encoder* encoder : crew.encoders) {
      if (!encoder->status_.ok()) return std::exchange(encoder->status_, Status());
    }
  }
  return std::span<const float>(x_, (wanted == WantedRows::kFirst ? lengths.size() : rows) * w_.hidden);
}

void Encoder::Do(Encoder& tile, const Schedule& schedule, std::size_t step, std::size_t part) {
  if (tile.failed_) return;
  const std::size_t parts = schedule.Parts(step);
  const bool first_rows = schedule.FirstRows(step);
  const Range all = {0, first_rows ? schedule.sequences : schedule.rows}, rows = Share(all.end, 1, part, parts);
  if (step == 0) {
    Status status = Embed(tile, rows);
    if (status.ok()) return Normalize(tile, w_.embedding_norm, rows);
    status_ = std::move(status);
    tile.failed_ = true;
    return;
  }
  const LayerWeights& layer = w_.layers[schedule.LayerOf(step)];
  const Range hidden = Share(w_.hidden, kOutputStep, part, parts);
  switch (schedule.StepOf(step)) {
    case Step::kAttend:
      return Attend(tile, layer, part, first_rows ? WantedRows::kFirst : WantedRows::kAll);
    case Step::kProject:
      if (first_rows) tile.KeepFirstRows();
      return Project(tile, layer, rows);
    case Step::kFeedForward:
      return FeedForward(tile, layer, rows);
    case Step::kQuantizeContext:
      return Quantize(tile.context_, w_.hidden, nullptr, tile.codes_, rows);
    case Step::kProjectOutputs:
      return Linear(layer.attention_output, {tile.codes_, tile.context_}, all, hidden, Epilogue::kAdd,
                    tile.x_ + hidden.begin, w_.hidden);
    case Step::kNormalizeProjected:
      return Normalize(tile, layer.attention_norm, rows);
    case Step::kInnerOutputs: {
      const Range inner = Share(w_.intermediate, kOutputStep, part, parts);
      return Activated(layer.ffn_in, {tile.codes_, tile.x_}, all, inner, tile.inner_ + inner.begin);
    }
    case Step::kQuantizeInner:
      return Quantize(tile.inner_, w_.intermediate, &w_.intermediate_rotation, tile.inner_codes_, rows);
    case Step::kOutputs:
      return Linear(layer.ffn_out, {tile.inner_codes_, tile.inner_}, all, hidden, Epilogue::kAdd,
                    tile.x_ + hidden.begin, w_.hidden);
    case Step::kNormalizeOutputs:
      return Normalize(tile, layer.ffn_norm, rows);
  }
}

Status Encoder::Embed(const Encoder& tile, Range rows) {
  // A block of rows is copied from the file, and is then a word table of its own with ids that count.
  std::int32_t places[kBlockRows];
  std::uint16_t scales[kBlockRows];
  std::iota(places, places + kBlockRows, 0);
  Table words = w_.words.table;
  words.values = words_;
  words.scale = w_.words.table.scale == nullptr ? nullptr : scales;
  std::size_t first = 0;  // Row of the sequence.
  for (std::uint32_t length : tile.lengths_) {
    const std::size_t last = std::min(first + length, rows.end);
    for (std::size_t row = std::max(first, rows.begin), count; row < last; row += count) {
      count = std::min(block_, last - row);
      const std::span<const std::int32_t> block = tile.ids_.subspan(row, count);
      THIMBLE_RETURN_IF_ERROR(w_.words.Read(block, words_));
      if (words.scale != nullptr) {
        for (std::size_t i = 0; i < count; ++i) scales[i] = w_.words.table.scale[block[i]];
      }
      k_.embed(words, RowsFrom(w_.positions, row - first), w_.embedding_offset, {places, count},
               tile.x_ + row * w_.hidden);
    }
    first += length;
  }
  return Status();
}

void Encoder::Attend(const Encoder& tile, const LayerWeights& layer, std::size_t head, WantedRows wanted) {
  const std::size_t width = w_.head_width, stride = 3 * width;
  const std::size_t query = stride * head, key = query + width, end = query + stride;
  const bool first = wanted == WantedRows::kFirst;
  const Input in = {tile.codes_, tile.x_};
  const Range rows = {0, tile.ids_.size()};
  Linear(layer.qkv, in, rows, {first ? key : query, end}, Epilogue::kStore, head_ + (first ? width : 0), stride);
  float* context = tile.context_ + width * head;
  std::size_t row = 0;
  for (std::uint32_t length : tile.lengths_) {
    const std::size_t queries = first ? 1 : length;
    if (first) Linear(layer.qkv, in, {row, row + 1}, {query, key}, Epilogue::kStore, head_, stride);
    const AttentionHead attention = {.qkv = head_ + row * stride,
                                     .qkv_stride = stride,
                                     .tokens = length,
                                     .queries = queries,
                                     .width = width,
                                     .out = context,
                                     .out_stride = w_.hidden};
    (w_.int8 ? k_.attention_int8 : k_.attention_float)(attention, attention_);
    row += length;
    context += queries * w_.hidden;
  }
  if (w_.int8 || AllFinite({head_, stride})) return;
  // A weight that is not finite: no row has finite outputs, but attention may hide them.
  while (context > tile.context_ + width * head) *(context -= w_.hidden) = kNotFinite;
}

void Encoder::KeepFirstRows() {
  std::size_t row = 0;
  for (std::size_t i = 0; i < lengths_.size(); row += lengths_[i++]) {
    float* first = x_ + i * w_.hidden;
    const bool finite = RowsAreFinite(x_ + row * w_.hidden, lengths_[i], w_.hidden);
    std::memmove(first, x_ + row * w_.hidden, w_.hidden * sizeof(float));
    if (!finite) *first = kNotFinite;  // Attention may have hidden it.
  }
}

void Encoder::Project(const Encoder& tile, const LayerWeights& layer, Range rows) {
  Quantize(tile.context_, w_.hidden, nullptr, tile.codes_, rows);
  Linear(layer.attention_output, {tile.codes_, tile.context_}, rows, {0, w_.hidden}, Epilogue::kAdd, tile.x_,
         w_.hidden);
  Normalize(tile, layer.attention_norm, rows);
}

void Encoder::FeedForward(const Encoder& tile, const LayerWeights& layer, Range rows) {
  for (std::size_t row = rows.begin; row < rows.end; row += block_) {
    const Range block = {0, std::min(block_, rows.end - row)};
    float* x = tile.x_ + row * w_.hidden;
    Activated(layer.ffn_in, {From(tile.codes_, row), x}, block, {0, w_.intermediate}, inner_);
    Quantize(inner_, w_.intermediate, &w_.intermediate_rotation, inner_codes_, block);
    Linear(layer.ffn_out, {inner_codes_, inner_}, block, {0, w_.hidden}, Epilogue::kAdd, x, w_.hidden);
  }
  Normalize(tile, layer.ffn_norm, rows);
}

void Encoder::Linear(const kernels::Matrix& matrix, const Input& in, Range rows, Range outputs, Epilogue epilogue,
                     float* out, std::size_t stride) {
  const LinearOutput output = {.begin = outputs.begin,
                               .end = outputs.end,
                               .rows = rows.size(),
                               .epilogue = epilogue,
                               .out = out + rows.begin * stride,
                               .stride = stride};
  if (w_.int8) {
    k_.linear_int8(matrix, From(in.codes, rows.begin), output, panel_);
  } else {
    k_.linear_float(matrix, in.values + rows.begin * matrix.inputs, matrix.inputs, output);
  }
}

void Encoder::Activated(const kernels::Matrix& matrix, const Input& in, Range rows, Range outputs, float* out) {
  const bool gelu = w_.activation == kernels::Activation::kGelu;
  Linear(matrix, in, rows, outputs, gelu ? Epilogue::kGelu : Epilogue::kStore, out, w_.intermediate);
  if (gelu) return;
  const bool finite = w_.int8 || AllFinite({out + rows.begin * w_.intermediate, outputs.size()});
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    k_.activate(w_.activation, out + row * w_.intermediate, outputs.size());
    if (!finite) out[row * w_.intermediate] = kNotFinite;  // As in Attend.
  }
}

void Encoder::Normalize(const Encoder& tile, const NormWeights& norm, Range rows) {
  for (std::size_t row = rows.begin; row < rows.end; ++row) {
    k_.layer_norm(tile.x_ + row * w_.hidden, norm.gamma, norm.beta, w_.layer_norm_epsilon, 1, w_.hidden);
    Quantize(tile.x_, w_.hidden, &w_.hidden_rotation, tile.codes_, {row, row + 1});
  }
}

void Encoder::Quantize(const float* x, std::size_t width, const Rotation* rotation, const QuantizedRows& out,
                       Range rows) {
  if (!w_.int8) return;
  k_.quantize(x + rows.begin * width, rows.size(), width, rotation, workspace_, From(out, rows.begin));
}

}  // namespace thimble::inline v0_1
