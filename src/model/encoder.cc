// The forward pass over a tile of sequences laid end to end.

#include "model/encoder.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "base/finite.h"
#include "base/steps.h"
#include "model/relative_bias.h"

namespace thimble::model {
namespace {

using kernels::AttentionHead;
using kernels::Epilogue;
using kernels::LinearOutput;
using kernels::Matrix;
using kernels::QuantizedRows;
using kernels::Table;

// Rows of the word table, and of the feed-forward network's inner activations, held at once: enough to reuse each
// weight panel from the first-level cache, few enough that they stay in the second-level cache.
constexpr std::size_t kBlockRows = 64;
// A quarter of a tile's rows takes about the memory of attention, which has its turn there; less than 32 is slower.
std::size_t BlockRows(std::size_t tokens) {
  return std::min(tokens, std::clamp<std::size_t>(tokens / 4, 32, kBlockRows));
}
QuantizedRows TakeRows(base::Arena& arena, std::size_t rows, std::size_t width) {
  return {.values = arena.Take<std::uint8_t>(rows * width), .stride = width, .scale = arena.Take<float>(rows)};
}

QuantizedRows From(const QuantizedRows& rows, std::size_t row) {
  if (rows.values == nullptr) return rows;
  return {.values = rows.values + row * rows.stride, .stride = rows.stride, .scale = rows.scale + row};
}

// The table without its first rows.
Table RowsFrom(const Table& table, std::size_t row) {
  Table rest = table;
  rest.rows -= row;
  rest.values = static_cast<const std::byte*>(table.values) + row * format::RowBytes(table.format, table.width);
  if (table.scale != nullptr) rest.scale += row;
  return rest;
}

// Marks what was computed with a value that is not finite, where a later step would hide that.
constexpr float kNotFinite = std::numeric_limits<float>::quiet_NaN();

}  // namespace

Encoder::Encoder(const Weights& weights, const kernels::Kernels& kernels, TileShape shape, base::Arena& arena)
    : w_(weights), k_(kernels), block_(BlockRows(shape.tokens)) {
  const Architecture& a = w_.program.architecture;
  stream_ = arena.Take<float>(shape.tokens * a.hidden);
  attention_ = arena.Take<std::byte>(k_.attention_bytes(shape.longest, a.head_width()));
  if (a.relative_reach != 0) bias_ = arena.Take<float>(BiasLineFloats(shape.longest));
  if (w_.int8) {
    codes_ = TakeRows(arena, shape.tokens, a.hidden);
    workspace_ = arena.Take<float>(a.intermediate);
    panel_ = arena.Take<std::int8_t>(k_.panel_bytes(std::max(a.hidden, a.intermediate)));
  }
  // Embedding, attention and the feed-forward network take turns on the rest.
  std::size_t begin = arena.used();
  head_ = arena.Take<float>(shape.tokens * 3 * a.head_width());
  context_ = arena.Take<float>(shape.tokens * a.hidden);
  std::size_t end = arena.used();
  arena.Rewind(begin);
  words_ = arena.Take<std::byte>(block_ * w_.words.row_bytes);
  end = std::max(end, arena.used());
  arena.Rewind(begin);
  inner_ = arena.Take<float>(block_ * a.intermediate);
  if (w_.int8) inner_codes_ = TakeRows(arena, block_, a.intermediate);
  arena.Rewind(std::max(arena.used(), end));
}

Result<std::span<const float>> Encoder::Encode(std::span<const std::int32_t> ids,
                                               std::span<const std::uint32_t> lengths, WantedRows wanted,
                                               const Crew& crew, std::span<const std::uint32_t> seconds,
                                               const std::atomic<bool>* stop) {
  ids_ = ids;
  lengths_ = lengths;
  seconds_ = seconds;
  stop_ = stop;
  failed_ = false;
  const Schedule schedule(w_.program,
                          {.rows = ids.size(), .sequences = lengths.size(), .block = block_, .wanted = wanted},
                          crew.encoders.size());
  base::Steps work(schedule.count());
  auto join = [&](Encoder& encoder) {
    work.Run([&](std::size_t task) { return schedule.Parts(task); },
             [&](std::size_t task, std::size_t part) { encoder.Do(*this, schedule.At(task, part)); });
  };
  if (schedule.members() == 1) {
    join(*this);
  } else {
    crew.team->Run([&](std::size_t member) {
      if (member < schedule.members()) join(*crew.encoders[member]);
    });
  }
  if (failed_) {
    if (!status_.ok()) return std::exchange(status_, Status());
    for (Encoder* encoder : crew.encoders) {
      if (!encoder->status_.ok()) return std::exchange(encoder->status_, Status());
    }
    return Status(Code::kIo, "the call was cancelled");
  }
  const std::size_t rows = wanted == WantedRows::kFirst ? lengths.size() : ids.size();
  return std::span<const float>(stream_, rows * w_.program.architecture.hidden);
}

void Encoder::Do(Encoder& tile, const Part& part) {
  if (tile.stop_ != nullptr && *tile.stop_) tile.failed_ = true;
  if (tile.failed_) return;
  switch (part.kind) {
    case Part::Kind::kEmbed: {
      Status status = Embed(tile, part.rows);
      if (status.ok()) return;
      status_ = std::move(status);
      tile.failed_ = true;
      return;
    }
    case Part::Kind::kHead:
      return Attend(tile, part);
    case Part::Kind::kRows:
      return RunRows(tile, part);
    case Part::Kind::kInputs: {
      const Buffer in = part.steps[0].in;
      return Quantize(in, tile.RowsOf(in, part.rows.begin), part.rows.size());
    }
    case Part::Kind::kOutputs: {
      const Step& step = part.steps[0];
      return Linear(step, part.layer, tile.RowsOf(step.in, 0), part.rows.size(), part.outputs,
                    tile.RowsOf(step.out, 0));
    }
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
  for (std::size_t sequence = 0; sequence < tile.lengths_.size(); first += tile.lengths_[sequence++]) {
    const std::size_t begin = std::max(first, rows.begin);
    const std::size_t last = std::min<std::size_t>(first + tile.lengths_[sequence], rows.end);
    const bool has_second = w_.second_offset != nullptr && !tile.seconds_.empty();
    const std::size_t second = has_second ? std::min<std::size_t>(first + tile.seconds_[sequence], last) : last;
    PositionRows next(w_.program.architecture);
    for (std::size_t row = first; row < begin && begin < last; ++row) next.Next(tile.ids_[row]);
    for (std::size_t row = begin, count; row < last; row += count) {
      count = std::min(block_, (row < second ? second : last) - row);
      const float* offset = row < second ? w_.embedding_offset : w_.second_offset;
      const std::span<const std::int32_t> block = tile.ids_.subspan(row, count);
      THIMBLE_RETURN_IF_ERROR(w_.words.Read(block, words_));
      if (words.scale != nullptr) {
        for (std::size_t i = 0; i < count; ++i) scales[i] = w_.words.table.scale[block[i]];
      }
      std::uint32_t positions[kBlockRows];
      for (std::size_t i = 0; i < count; ++i) positions[i] = next.Next(block[i]);
      for (std::size_t i = 0, end; i < count; i = end) {  // A run of consecutive positions.
        for (end = i + 1; end < count && positions[end] == positions[i] + (end - i);) ++end;
        k_.embed(words, RowsFrom(w_.positions, positions[i]), offset, {places + i, end - i},
                 tile.RowsOf(Buffer::kStream, row + i).values);
      }
    }
  }
  Normalize(w_.embedding_norm, tile.RowsOf(Buffer::kStream, rows.begin), rows.size());
  return Status();
}

void Encoder::Attend(const Encoder& tile, const Part& part) {
  const Step& step = part.steps[0];
  const Matrix& qkv = w_.matrix(part.layer, step);
  const std::size_t width = w_.program.architecture.head_width(), stride = 3 * width;
  const std::size_t query = stride * part.head, key = query + width, end = query + stride;
  // Of the first rows alone the queries are needed.
  const bool first = part.first_rows;
  Multiply(qkv, tile.RowsOf(step.in, 0), tile.ids_.size(), {first ? key : query, end}, Epilogue::kStore,
           head_ + (first ? width : 0), stride);
  const Rows out = tile.RowsOf(step.out, 0);
  float* context = out.values + width * part.head;
  const float* bias = nullptr;
  if (const std::size_t reach = w_.program.architecture.relative_reach; reach != 0) {
    const std::uint32_t longest = *std::max_element(tile.lengths_.begin(), tile.lengths_.end());
    bias = FillBiasLine(w_.relative_bias + part.head * BiasRowFloats(reach), reach, longest, bias_);
  }
  std::size_t row = 0;
  for (std::uint32_t length : tile.lengths_) {
    const std::size_t queries = first ? 1 : length;
    if (first) {
      Multiply(qkv, tile.RowsOf(step.in, row), 1, {query, key}, Epilogue::kStore, head_ + row * stride, stride);
    }
    const AttentionHead attention = {.qkv = head_ + row * stride,
                                     .qkv_stride = stride,
                                     .tokens = length,
                                     .queries = queries,
                                     .width = width,
                                     .out = context,
                                     .out_stride = out.width,
                                     .bias = bias};
    (w_.int8 ? k_.attention_int8 : k_.attention_float)(attention, attention_);
    row += length;
    context += queries * out.width;
  }
  if (w_.int8 || base::AllFinite({head_, stride})) return;
  // A weight that is not finite: no row has finite outputs, but attention may hide them.
  while (context > out.values + width * part.head) *(context -= out.width) = kNotFinite;
}

void Encoder::RunRows(Encoder& tile, const Part& part) {
  if (part.first_rows && part.steps[0].in == Buffer::kContext) tile.KeepFirstRows();
  const bool inner =
      std::any_of(part.steps.begin(), part.steps.end(), [](const Step& step) { return step.out == Buffer::kInner; });
  for (std::size_t row = part.rows.begin, count; row < part.rows.end; row += count) {
    count = std::min(inner ? block_ : part.rows.size(), part.rows.end - row);
    auto rows_of = [&](Buffer buffer) {
      return buffer == Buffer::kInner ? RowsOf(buffer, 0) : tile.RowsOf(buffer, row);
    };
    for (const Step& step : part.steps) {
      const Rows in = rows_of(step.in);
      if (step.kind == Step::Kind::kNorm) {
        Normalize(w_.norm(part.layer, step), in, count);
        continue;
      }
      if (step.quantizes()) Quantize(step.in, in, count);
      Linear(step, part.layer, in, count, {0, step.outputs}, rows_of(step.out));
    }
  }
}

void Encoder::Linear(const Step& step, std::size_t layer, const Rows& in, std::size_t rows, Range outputs,
                     const Rows& out) {
  float* values = out.values + outputs.begin;
  Multiply(w_.matrix(layer, step), in, rows, outputs, step.epilogue, values, out.width);
  if (!step.activation) return;
  const bool finite = w_.int8 || base::AllFinite({values, outputs.size()});
  for (std::size_t row = 0; row < rows; ++row, values += out.width) {
    k_.activate(*step.activation, values, outputs.size());
    if (!finite) *values = kNotFinite;  // As in Attend.
  }
}

void Encoder::Normalize(const NormWeights& norm, const Rows& x, std::size_t rows) {
  const auto epsilon = static_cast<float>(w_.program.architecture.norm_epsilon);
  for (std::size_t row = 0; row < rows; ++row) {
    const Rows one = {x.values + row * x.width, From(x.codes, row), x.width};
    k_.layer_norm(one.values, norm.gamma, norm.beta, epsilon, 1, x.width);
    Quantize(Buffer::kStream, one, 1);
  }
}

void Encoder::Quantize(Buffer buffer, const Rows& x, std::size_t rows) {
  if (!w_.int8) return;
  k_.quantize(x.values, rows, x.width, w_.program.RotationOf(buffer), workspace_, x.codes);
}

void Encoder::Multiply(const Matrix& matrix, const Rows& in, std::size_t rows, Range outputs, Epilogue epilogue,
                       float* out, std::size_t stride) {
  const LinearOutput output = {
      .begin = outputs.begin, .end = outputs.end, .rows = rows, .epilogue = epilogue, .out = out, .stride = stride};
  if (w_.int8) {
    k_.linear_int8(matrix, in.codes, output, panel_);
  } else {
    k_.linear_float(matrix, in.values, in.width, output);
  }
}

Encoder::Rows Encoder::RowsOf(Buffer buffer, std::size_t row) const {
  const std::size_t width = w_.program.Width(buffer);
  float* values = buffer == Buffer::kInner ? inner_ : buffer == Buffer::kContext ? context_ : stream_;
  return {values + row * width, From(buffer == Buffer::kInner ? inner_codes_ : codes_, row), width};
}

void Encoder::KeepFirstRows() {
  const std::size_t width = w_.program.Width(Buffer::kStream);
  std::size_t row = 0;
  for (std::size_t i = 0; i < lengths_.size(); row += lengths_[i++]) {
    float* first = stream_ + i * width;
    const bool finite = RowsAreFinite(stream_ + row * width, lengths_[i], width);
    std::memmove(first, stream_ + row * width, width * sizeof(float));
    if (!finite) *first = kNotFinite;  // Attention may have hidden it.
  }
}

}  // namespace thimble::model
