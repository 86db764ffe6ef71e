// Writes a model file's tensors in their order.

#include "convert/model_writer.h"

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <numbers>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "convert/layout.h"
#include "convert/matrix_writer.h"
#include "convert/source.h"
#include "convert/tokenizer_tensors.h"
#include "model/relative_bias.h"

namespace thimble::convert {
namespace {

// Writes the tensors of one job in order. Every member function returns the first failure.
class Conversion {
 public:
  // `calibrator` is null for plain rounding.
  Conversion(Job& job, Forward& forward, Calibrator* calibrator, const Tell& tell, format::Writer* writer)
      : job_(job),
        encoder_(job.program.architecture),
        names_(*job.config.family),
        forward_(forward),
        calibrator_(calibrator),
        tell_(tell),
        writer_(*writer) {}

  Status Run() {
    THIMBLE_RETURN_IF_ERROR(WriteHead(job_.head, job_.formats().head, &writer_));
    THIMBLE_RETURN_IF_ERROR(WriteTokenizer(*job_.tokenizer.tokenizer.kind, &writer_));
    THIMBLE_RETURN_IF_ERROR(Positions());
    NormSource norm;
    THIMBLE_RETURN_IF_ERROR(ReadNorm(std::string(names_.embedding_norm), &norm));
    THIMBLE_RETURN_IF_ERROR(Norm(norm, "embeddings.norm"));
    THIMBLE_RETURN_IF_ERROR(Embed(norm));
    THIMBLE_RETURN_IF_ERROR(RelativeBias());
    for (std::size_t i = 0; i < encoder_.layers; ++i) {
      THIMBLE_RETURN_IF_ERROR(Layer(i));
    }
    return Words();
  }

 private:
  Status GoOn() const {
    // The words and the receipt count as a layer.
    return tell_(static_cast<double>(written_) / static_cast<double>(job_.program.matrices * (encoder_.layers + 1)));
  }

  Result<const SourceTensor*> Find(const std::string& name, std::initializer_list<std::uint64_t> shape) const {
    return job_.source.Find(name, {shape.begin(), shape.size()});
  }

  Result<const SourceTensor*> FindTable(std::string_view name, std::size_t rows) const {
    return Find(std::string(name) + ".weight", {rows, encoder_.hidden});
  }

  // Padded positions begin with the row whose number is the id of the pad token; those before it are never used.
  std::size_t unused_positions() const { return static_cast<std::size_t>(encoder_.pad_id.value_or(0)); }
  Result<const SourceTensor*> FindPositions() const {
    return FindTable(names_.positions, unused_positions() + encoder_.position_rows());
  }

  // Token type 0 or 1, the first of which an exported graph may hold alone; zeros where a family has none.
  Status ReadType(std::size_t number, std::span<float> type) const {
    if (names_.types.empty()) return Status();
    Result<const SourceTensor*> types = Status(Code::kNotFound, "");
    if (job_.source.graph() != nullptr && number == 0) types = FindTable(names_.types, 1);
    if (!types.ok()) types = FindTable(names_.types, job_.config.token_types);
    return types.ok() ? job_.source.Read(**types, number * type.size(), type) : types.status();
  }

  // The whole of a small tensor.
  Status ReadAll(const std::string& name, std::size_t size, std::vector<float>* out) {
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* tensor, Find(name, {size}));
    out->resize(size);
    return job_.source.Read(*tensor, 0, *out);
  }

  Status Positions() {
    const std::size_t hidden = encoder_.hidden;
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* positions, FindPositions());
    // A text is one segment, so the first token type is part of every token. With int8 codes it goes with what all
    // positions have in common into a vector of its own: a few large components would spoil the scale of every row.
    std::vector<float> offset(hidden), second(hidden), mean(hidden);
    THIMBLE_RETURN_IF_ERROR(ReadType(0, offset));
    if (job_.has_second_type()) THIMBLE_RETURN_IF_ERROR(ReadType(1, second));
    if (job_.int8()) {
      THIMBLE_RETURN_IF_ERROR(MeanRow(*positions, encoder_.position_rows() - encoder_.positions, mean));
      for (std::size_t k = 0; k < hidden; ++k) offset[k] += mean[k];
      for (std::size_t k = 0; k < hidden; ++k) second[k] += mean[k];
    }
    auto read = [&](std::size_t first, std::span<float> out) {
      THIMBLE_RETURN_IF_ERROR(job_.source.Read(*positions, (unused_positions() + first) * hidden, out));
      for (std::size_t i = 0; i < out.size(); ++i) out[i] -= mean[i % hidden];
      return Status();
    };
    THIMBLE_RETURN_IF_ERROR(WriteTable(PositionsOf(job_), read, &writer_));
    THIMBLE_RETURN_IF_ERROR(AppendValues<float>("embeddings.offset", offset, &writer_));
    return job_.has_second_type() ? AppendValues<float>("embeddings.second_offset", second, &writer_) : Status();
  }

  // Of all positions, the first of which is row `first` of those of the file.
  Status MeanRow(const SourceTensor& tensor, std::size_t first, std::span<float> mean) {
    const std::size_t rows = encoder_.positions;
    std::vector<double> sums(mean.size());
    std::vector<float> row(mean.size());
    for (std::size_t i = 0; i < rows; ++i) {
      THIMBLE_RETURN_IF_ERROR(job_.source.Read(tensor, (unused_positions() + first + i) * row.size(), row));
      for (std::size_t k = 0; k < row.size(); ++k) sums[k] += row[k];
    }
    for (std::size_t k = 0; k < row.size(); ++k) mean[k] = static_cast<float>(sums[k] / static_cast<double>(rows));
    return Status();
  }

  Status Words() {
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* words, FindTable(names_.words, encoder_.vocabulary));
    auto read = [&](std::size_t first, std::span<float> out) {
      THIMBLE_RETURN_IF_ERROR(GoOn());
      return job_.source.Read(*words, first * encoder_.hidden, out);
    };
    THIMBLE_RETURN_IF_ERROR(WriteTable(WordsOf(job_), read, &writer_));
    return GoOn();
  }

  Status ReadNorm(const std::string& from, NormSource* norm) {
    THIMBLE_RETURN_IF_ERROR(ReadAll(from + ".weight", encoder_.hidden, &norm->gamma));
    return ReadAll(from + ".bias", encoder_.hidden, &norm->beta);
  }
  Status Norm(const NormSource& norm, const std::string& to) {
    THIMBLE_RETURN_IF_ERROR(AppendValues<float>(to + ".weight", norm.gamma, &writer_));
    return AppendValues<float>(to + ".bias", norm.beta, &writer_);
  }

  // The embeddings of all sequences of the forward pass.
  Status Embed(const NormSource& norm) {
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* words, FindTable(names_.words, encoder_.vocabulary));
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* positions, FindPositions());
    std::vector<float> type(encoder_.hidden), second;
    THIMBLE_RETURN_IF_ERROR(ReadType(0, type));
    if (job_.has_second_type()) {
      second.resize(encoder_.hidden);
      THIMBLE_RETURN_IF_ERROR(ReadType(1, second));
    }
    auto rows_of = [&](const SourceTensor* tensor, std::size_t first) {
      return [this, tensor, first](std::size_t row, std::span<float> out) {
        return job_.source.Read(*tensor, (first + row) * out.size(), out);
      };
    };
    return forward_.Embed(rows_of(words, 0), rows_of(positions, unused_positions()), type, second, norm);
  }

  // From buckets to distances, in log2 units as the scores.
  Status RelativeBias() {
    if (encoder_.relative_reach == 0) return Status();
    const DistanceBuckets& buckets = *names_.buckets;
    const std::size_t rows = job_.config.bucket_rows, heads = encoder_.heads;
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* tensor, Find(std::string(buckets.tensor) + ".weight", {rows, heads}));
    std::vector<float> table(rows * heads), bias(heads * model::BiasRowFloats(encoder_.relative_reach));
    THIMBLE_RETURN_IF_ERROR(job_.source.Read(*tensor, 0, table));
    const auto reach = static_cast<std::ptrdiff_t>(encoder_.relative_reach);
    for (std::size_t head = 0; head < heads; ++head) {
      float* next = &bias[head * model::BiasRowFloats(encoder_.relative_reach)];
      for (std::ptrdiff_t distance = -reach; distance <= reach; ++distance) {
        *next++ = static_cast<float>(table[buckets.RowOf(distance) * heads + head] * std::numbers::log2e);
      }
    }
    forward_.SetRelativeBias(bias);
    return AppendValues<float>(std::string(model::kRelativeBias), bias, &writer_);
  }

  Status Layer(std::size_t i) {
    LayerSource layer;
    for (const model::Step& step : job_.program.layer) {
      if (step.kind == model::Step::Kind::kNorm) {
        THIMBLE_RETURN_IF_ERROR(ReadNorm(names_.PrefixOf(i) + names_.TensorOf(step.name), &layer.norms.emplace_back()));
        continue;
      }
      MatrixSource& matrix = layer.matrices.emplace_back();
      matrix.spec = SpecOf(job_, i, step);
      THIMBLE_RETURN_IF_ERROR(step.kind == model::Step::Kind::kAttention
                                  ? Qkv(i, step, &matrix)
                                  : Matrix(names_.PrefixOf(i) + names_.TensorOf(step.name), &matrix));
    }
    if (calibrator_ != nullptr) calibrator_->Begin();
    THIMBLE_RETURN_IF_ERROR(forward_.Run(layer, [this](auto... input) {
      if (calibrator_ != nullptr) calibrator_->Watch(input...);
      return GoOn();
    }));
    for (const model::Step& step : job_.program.layer) {
      THIMBLE_RETURN_IF_ERROR(step.kind == model::Step::Kind::kNorm
                                  ? Norm(layer.norms[step.index], model::NameOfStep(i, step))
                                  : Write(step.index, layer.matrices[step.index]));
    }
    return Status();
  }

  Status Write(std::size_t index, const MatrixSource& source) {
    THIMBLE_RETURN_IF_ERROR(GoOn());
    ++written_;
    if (calibrator_ == nullptr) return WriteMatrix(source.spec, source.read, nullptr, source.bias, &writer_);
    THIMBLE_ASSIGN_OR_RETURN(QuantizedMatrix matrix, calibrator_->Quantize(index, source));
    return WriteMatrix(source.spec, source.read, &matrix, source.bias, &writer_);
  }

  Status Matrix(const std::string& from, MatrixSource* out) {
    const MatrixSpec& spec = out->spec;
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* weight, Find(from + ".weight", {spec.outputs, spec.inputs}));
    out->read = [this, weight, inputs = spec.inputs](std::size_t n, std::span<float> rows) {
      return job_.source.Read(*weight, n * inputs, rows);
    };
    return ReadAll(from + ".bias", spec.outputs, &out->bias);
  }

  // Queries, keys and values as one matrix: for each head its query outputs, then keys, then values. The query carries
  // log2(e) / sqrt(width), so that scores are exponents of two.
  Status Qkv(std::size_t layer, const model::Step& step, MatrixSource* out) {
    const std::size_t h = encoder_.hidden, width = encoder_.head_width();
    const auto query_factor = static_cast<float>(std::numbers::log2e / std::sqrt(static_cast<double>(width)));
    std::array<const SourceTensor*, 3> weights;
    std::array<std::vector<float>, 3> biases;
    for (std::size_t part = 0; part < 3; ++part) {
      const std::string from = names_.PrefixOf(layer) + names_.TensorOf(step.name, part);
      THIMBLE_ASSIGN_OR_RETURN(weights[part], Find(from + ".weight", {h, h}));
      THIMBLE_RETURN_IF_ERROR(ReadAll(from + ".bias", h, &biases[part]));
    }
    // Output n is row `row` of `part`.
    auto locate = [width](std::size_t n) {
      struct {
        std::size_t part, row;
      } place = {n % (3 * width) / width, n / (3 * width) * width + n % width};
      return place;
    };
    out->bias.resize(step.outputs);
    for (std::size_t n = 0; n < step.outputs; ++n) {
      auto [part, row] = locate(n);
      out->bias[n] = biases[part][row] * (part == 0 ? query_factor : 1.0f);
    }
    // A strip never crosses parts: widths are multiples of 32.
    out->read = [this, h, weights, locate, query_factor](std::size_t n, std::span<float> rows) {
      auto [part, row] = locate(n);
      THIMBLE_RETURN_IF_ERROR(job_.source.Read(*weights[part], row * h, rows));
      if (part == 0) {
        for (float& value : rows) value *= query_factor;
      }
      return Status();
    };
    return Status();
  }

  Job& job_;
  const model::Architecture& encoder_;
  const Family& names_;
  Forward& forward_;
  Calibrator* calibrator_;
  const Tell& tell_;
  format::Writer& writer_;
  std::size_t written_ = 0;  // Matrices.
};

}  // namespace

Status WriteModel(Job& job, Forward& forward, Calibrator* calibrator, const Tell& tell, format::Writer* writer) {
  return Conversion(job, forward, calibrator, tell, writer).Run();
}

}  // namespace thimble::convert
