// Loading weights: every name, shape and range is checked here and nowhere later.

#include "model/weights.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/checked.h"
#include "base/error.h"
#include "model/tokenizer_tensors.h"

namespace thimble {
namespace {

using format::Reader;
using kernels::Matrix;
using kernels::Table;
using kernels::WeightFormat;

// Limits far above any model of the family, so that sizes computed from them cannot overflow.
constexpr std::uint64_t kMaxHidden = 1 << 14;
constexpr std::uint64_t kMaxIntermediate = 1 << 16;
constexpr std::uint64_t kMaxLayers = 128;
constexpr std::uint64_t kMaxPositions = 1 << 16;
constexpr std::uint64_t kMaxVocabulary = 1 << 24;

constexpr std::string_view kDtypes[] = {"fp32", "fp16", "q8", "q6", "q4", "q4-small"};

Status Mismatch(const Reader& reader, std::string_view key, std::string_view expected, std::string_view found) {
  return Error(Code::kCorrupt, reader.path(), ": metadata \"", key, "\": expected ", expected, ", found \"", found,
               "\"");
}

template <typename T>
Status LoadVector(const Reader& reader, const std::string& name, std::size_t length, const T** out) {
  THIMBLE_ASSIGN_OR_RETURN(std::span<const T> values, reader.Tensor<T>(name, {length}));
  *out = values.data();
  return Status();
}

Result<WeightFormat> LoadFormat(const Reader& reader, const std::string& matrix) {
  const std::string key = matrix + ".format";
  THIMBLE_ASSIGN_OR_RETURN(std::string_view text, reader.Text(key));
  for (WeightFormat format :
       {WeightFormat::kF32, WeightFormat::kF16, WeightFormat::kQ8, WeightFormat::kQ6, WeightFormat::kQ4}) {
    if (text == kernels::WeightFormatName(format)) return format;
  }
  return Error(Code::kUnsupported, reader.path(), ": metadata \"", key,
               "\": this build does not know the weight format \"", text, "\"");
}

Status LoadMatrix(const Reader& reader, const std::string& name, std::size_t outputs, std::size_t inputs, bool int8,
                  Matrix* matrix) {
  THIMBLE_ASSIGN_OR_RETURN(matrix->format, LoadFormat(reader, name));
  if (kernels::IsInteger(matrix->format) != int8) {
    return Mismatch(reader, name + ".format", int8 ? "q8, q6 or q4" : "fp32 or fp16",
                    kernels::WeightFormatName(matrix->format));
  }
  matrix->outputs = outputs;
  matrix->inputs = inputs;
  const std::uint64_t strips = outputs / kernels::kStrip;
  const std::string weight = name + ".weight";
  switch (matrix->format) {
    case WeightFormat::kF32: {
      THIMBLE_ASSIGN_OR_RETURN(auto values, reader.Tensor<float>(weight, {strips, inputs, kernels::kStrip}));
      matrix->weights = values.data();
      break;
    }
    case WeightFormat::kF16: {
      THIMBLE_ASSIGN_OR_RETURN(auto values, reader.Tensor<format::Half>(weight, {strips, inputs, kernels::kStrip}));
      matrix->weights = values.data();
      break;
    }
    case WeightFormat::kQ8: {
      THIMBLE_ASSIGN_OR_RETURN(auto values,
                               reader.Tensor<std::int8_t>(weight, {strips, inputs / 4, kernels::kStrip, 4}));
      matrix->weights = values.data();
      break;
    }
    case WeightFormat::kQ6: {
      THIMBLE_ASSIGN_OR_RETURN(auto values,
                               reader.Tensor<std::uint8_t>(weight, {strips, inputs / 16, 3, kernels::kStrip, 4}));
      matrix->weights = values.data();
      break;
    }
    case WeightFormat::kQ4: {
      THIMBLE_ASSIGN_OR_RETURN(auto values,
                               reader.Tensor<std::uint8_t>(weight, {strips, inputs / 8, kernels::kStrip, 4}));
      matrix->weights = values.data();
      break;
    }
  }
  if (kernels::IsTwoLevel(matrix->format)) {
    const std::uint64_t strip_bytes = kernels::MatrixLevels(matrix->format).StripGroupBytes(inputs);
    THIMBLE_ASSIGN_OR_RETURN(auto groups, reader.Tensor<std::uint8_t>(name + ".groups", {strips, strip_bytes}));
    matrix->groups = groups.data();
  }
  if (int8) {
    THIMBLE_RETURN_IF_ERROR(LoadVector(reader, name + ".scale", outputs, &matrix->scale));
    THIMBLE_RETURN_IF_ERROR(LoadVector(reader, name + ".comp", outputs, &matrix->comp));
  }
  return LoadVector(reader, name + ".bias", outputs, &matrix->bias);
}

Status LoadTable(const Reader& reader, const std::string& name, std::size_t rows, std::size_t width, Table* table) {
  THIMBLE_ASSIGN_OR_RETURN(table->format, LoadFormat(reader, name));
  table->rows = rows;
  table->width = width;
  const std::string weight = name + ".weight";
  switch (table->format) {
    case WeightFormat::kF32: {
      THIMBLE_ASSIGN_OR_RETURN(auto values, reader.Tensor<float>(weight, {rows, width}));
      table->values = values.data();
      return Status();
    }
    case WeightFormat::kF16: {
      THIMBLE_ASSIGN_OR_RETURN(auto values, reader.Tensor<format::Half>(weight, {rows, width}));
      table->values = values.data();
      return Status();
    }
    case WeightFormat::kQ8: {
      THIMBLE_ASSIGN_OR_RETURN(auto values, reader.Tensor<std::int8_t>(weight, {rows, width}));
      table->values = values.data();
      break;
    }
    case WeightFormat::kQ6:
    case WeightFormat::kQ4: {
      const std::uint64_t bytes = RoundUp(rows * kernels::RowBytes(table->format, width), 64);
      THIMBLE_ASSIGN_OR_RETURN(auto values, reader.Tensor<std::uint8_t>(weight, {bytes}));
      table->values = values.data();
      break;
    }
  }
  // Filled up to whole cache lines.
  THIMBLE_ASSIGN_OR_RETURN(auto scale, reader.Tensor<format::Half>(name + ".scale", {RoundUp(rows, 32)}));
  table->scale = &scale.data()->bits;
  return Status();
}

Status LoadNorm(const Reader& reader, const std::string& name, std::size_t width, NormWeights* norm) {
  THIMBLE_RETURN_IF_ERROR(LoadVector(reader, name + ".weight", width, &norm->gamma));
  return LoadVector(reader, name + ".bias", width, &norm->beta);
}

Status CheckRotation(const Reader& reader, std::string_view key, std::size_t width, kernels::Rotation* rotation) {
  *rotation = kernels::RotationFor(width);
  THIMBLE_ASSIGN_OR_RETURN(std::string_view text, reader.Text(key));
  std::string expected = kernels::RotationName(*rotation);
  return text == expected ? Status() : Mismatch(reader, key, "\"" + expected + "\"", text);
}

Status LoadConfig(const Reader& reader, Weights* w) {
  THIMBLE_ASSIGN_OR_RETURN(std::string_view architecture, reader.Text("architecture"));
  if (architecture != "bert") {
    return Error(Code::kUnsupported, reader.path(), ": architecture: expected \"bert\", found \"", architecture, "\"");
  }
  THIMBLE_ASSIGN_OR_RETURN(std::string_view activation, reader.Text("activation"));
  if (activation != "gelu") {
    return Error(Code::kUnsupported, reader.path(), ": activation: expected \"gelu\", found \"", activation, "\"");
  }
  ModelInfo& info = w->info;
  THIMBLE_ASSIGN_OR_RETURN(info.name, reader.Text("name"));
  THIMBLE_ASSIGN_OR_RETURN(info.dtype, reader.Text("dtype"));
  if (std::find(std::begin(kDtypes), std::end(kDtypes), info.dtype) == std::end(kDtypes)) {
    return Error(Code::kUnsupported, reader.path(), ": this build does not know the dtype \"", info.dtype, "\"");
  }
  w->int8 = info.dtype != "fp32" && info.dtype != "fp16";
  THIMBLE_ASSIGN_OR_RETURN(w->hidden, reader.Integer("hidden_size", 64, kMaxHidden));
  THIMBLE_ASSIGN_OR_RETURN(w->intermediate, reader.Integer("intermediate_size", 64, kMaxIntermediate));
  THIMBLE_ASSIGN_OR_RETURN(info.layers, reader.Integer("layers", 1, kMaxLayers));
  THIMBLE_ASSIGN_OR_RETURN(info.heads, reader.Integer("heads", 1, kMaxHidden));
  if (w->hidden % 64 != 0 || w->intermediate % 64 != 0) {
    return Error(Code::kCorrupt, reader.path(), ": hidden_size ", w->hidden, " and intermediate_size ", w->intermediate,
                 ": expected multiples of 64");
  }
  w->head_width = w->hidden / info.heads;
  if (w->hidden % info.heads != 0 || w->head_width % 32 != 0 || w->head_width > kernels::kMaxHeadWidth) {
    return Error(Code::kCorrupt, reader.path(), ": ", info.heads, " heads of hidden_size ", w->hidden,
                 ": expected a width of 32, 64, 96 or 128 each");
  }
  info.dimensions = w->hidden;
  THIMBLE_ASSIGN_OR_RETURN(info.vocabulary, reader.Integer("vocabulary", 1, kMaxVocabulary));
  THIMBLE_ASSIGN_OR_RETURN(info.positions, reader.Integer("positions", 1, kMaxPositions));
  THIMBLE_ASSIGN_OR_RETURN(info.max_tokens, reader.Integer("max_tokens", 1, info.positions));
  THIMBLE_ASSIGN_OR_RETURN(std::string_view pooling, reader.Text("pooling"));
  Result<Pooling> parsed = ParsePooling(pooling);
  if (!parsed.ok()) return Mismatch(reader, "pooling", "mean, cls or last", pooling);
  info.pooling = *parsed;
  THIMBLE_ASSIGN_OR_RETURN(info.normalize, reader.Boolean("normalize"));
  THIMBLE_ASSIGN_OR_RETURN(double epsilon, reader.Number("layer_norm_eps"));
  if (!(epsilon > 0 && epsilon < 1)) {
    return Error(Code::kCorrupt, reader.path(), ": layer_norm_eps: expected a number between 0 and 1");
  }
  w->layer_norm_epsilon = static_cast<float>(epsilon);
  info.file_bytes = reader.file_bytes();
  if (!w->int8) return Status();
  THIMBLE_RETURN_IF_ERROR(CheckRotation(reader, "rotation.hidden", w->hidden, &w->hidden_rotation));
  return CheckRotation(reader, "rotation.intermediate", w->intermediate, &w->intermediate_rotation);
}

}  // namespace

Result<Weights> Weights::Load(const format::Reader& reader) {
  THIMBLE_ASSIGN_OR_RETURN(std::uint64_t vocabulary, reader.Integer("vocabulary", 1, kMaxVocabulary));
  THIMBLE_ASSIGN_OR_RETURN(text::Tokenizer tokenizer, LoadTokenizer(reader, vocabulary));
  Weights w(tokenizer);
  THIMBLE_RETURN_IF_ERROR(LoadConfig(reader, &w));
  const std::size_t h = w.hidden;
  if (w.info.max_tokens <= tokenizer.num_special()) {
    return Error(Code::kCorrupt, reader.path(), ": max_tokens ", w.info.max_tokens, " leaves no room beside ",
                 tokenizer.num_special(), " special tokens");
  }
  THIMBLE_RETURN_IF_ERROR(LoadTable(reader, "embeddings.positions", w.info.positions, h, &w.positions));
  THIMBLE_RETURN_IF_ERROR(LoadVector(reader, "embeddings.offset", h, &w.embedding_offset));
  THIMBLE_RETURN_IF_ERROR(LoadNorm(reader, "embeddings.norm", h, &w.embedding_norm));
  w.layers.resize(w.info.layers);
  for (std::size_t i = 0; i < w.layers.size(); ++i) {
    LayerWeights& layer = w.layers[i];
    const std::string name = "layers." + std::to_string(i) + ".";
    THIMBLE_RETURN_IF_ERROR(LoadMatrix(reader, name + "qkv", 3 * h, h, w.int8, &layer.qkv));
    THIMBLE_RETURN_IF_ERROR(LoadMatrix(reader, name + "attention_output", h, h, w.int8, &layer.attention_output));
    THIMBLE_RETURN_IF_ERROR(LoadNorm(reader, name + "attention_norm", h, &layer.attention_norm));
    THIMBLE_RETURN_IF_ERROR(LoadMatrix(reader, name + "ffn_in", w.intermediate, h, w.int8, &layer.ffn_in));
    THIMBLE_RETURN_IF_ERROR(LoadMatrix(reader, name + "ffn_out", h, w.intermediate, w.int8, &layer.ffn_out));
    THIMBLE_RETURN_IF_ERROR(LoadNorm(reader, name + "ffn_norm", h, &layer.ffn_norm));
  }
  THIMBLE_RETURN_IF_ERROR(LoadTable(reader, "embeddings.words", w.info.vocabulary, h, &w.words.table));
  w.words.file = &reader.file();
  w.words.offset = reader.Offset(w.words.table.values);
  w.words.row_bytes = kernels::RowBytes(w.words.table.format, h);
  return w;
}

Status WordTable::Read(std::span<const std::int32_t> ids, std::byte* rows) const {
  for (std::int32_t id : ids) {
    THIMBLE_RETURN_IF_ERROR(file->ReadAt(offset + static_cast<std::uint64_t>(id) * row_bytes, {rows, row_bytes}));
    rows += row_bytes;
  }
  return Status();
}

}  // namespace thimble
