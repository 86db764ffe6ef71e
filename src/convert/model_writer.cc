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

namespace thimble::convert {
namespace {

// Writes the tensors of one job in order. Every member function returns the first failure.
class Conversion {
 public:
  // `calibrator` is null for plain rounding.
  Conversion(Job& job, Forward& forward, Calibrator* calibrator, const Tell& tell, format::Writer* writer)
      : job_(job), forward_(forward), calibrator_(calibrator), tell_(tell), writer_(*writer) {}

  Status Run() {
    const Config& c = job_.config;
    THIMBLE_RETURN_IF_ERROR(WriteHead(job_.head, job_.HeadFormat(), &writer_));
    THIMBLE_RETURN_IF_ERROR(WriteTokenizer(*job_.tokenizer.tokenizer.kind, &writer_));
    THIMBLE_RETURN_IF_ERROR(Positions());
    NormSource norm;
    THIMBLE_RETURN_IF_ERROR(ReadNorm("embeddings.LayerNorm", &norm));
    THIMBLE_RETURN_IF_ERROR(Norm(norm, "embeddings.norm"));
    THIMBLE_RETURN_IF_ERROR(Embed(norm));
    for (std::size_t i = 0; i < c.layers; ++i) {
      THIMBLE_RETURN_IF_ERROR(Layer(i));
    }
    return Words();
  }

 private:
  Status GoOn() const {
    // The words and the receipt count as a layer.
    return tell_(static_cast<double>(written_) / static_cast<double>(kInputs * (job_.config.layers + 1)));
  }

  Result<const SourceTensor*> Find(const std::string& name, std::initializer_list<std::uint64_t> shape) const {
    return job_.source.Find(name, {shape.begin(), shape.size()});
  }

  // The token types, of which an exported graph may hold the first alone.
  Result<const SourceTensor*> FindTypes() const {
    constexpr const char* kName = "embeddings.token_type_embeddings.weight";
    const Config& c = job_.config;
    Result<const SourceTensor*> first = Status(Code::kNotFound, "");
    if (job_.source.graph() != nullptr) first = Find(kName, {1, c.hidden});
    return first.ok() ? first : Find(kName, {c.token_types, c.hidden});
  }

  // The whole of a small tensor.
  Status ReadAll(const std::string& name, std::size_t size, std::vector<float>* out) {
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* tensor, Find(name, {size}));
    out->resize(size);
    return job_.source.Read(*tensor, 0, *out);
  }

  Status Positions() {
    const Config& c = job_.config;
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* positions,
                             Find("embeddings.position_embeddings.weight", {c.positions, c.hidden}));
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* types, FindTypes());
    // A text is one segment, so the first token type is part of every token. With int8 codes it goes with what all
    // positions have in common into a vector of its own: a few large components would spoil the scale of every row.
    std::vector<float> offset(c.hidden), mean(c.hidden);
    THIMBLE_RETURN_IF_ERROR(job_.source.Read(*types, 0, offset));
    if (job_.int8()) {
      THIMBLE_RETURN_IF_ERROR(MeanRow(*positions, c.positions, mean));
      for (std::size_t k = 0; k < c.hidden; ++k) offset[k] += mean[k];
    }
    auto read = [&](std::size_t first, std::span<float> out) {
      THIMBLE_RETURN_IF_ERROR(job_.source.Read(*positions, first * c.hidden, out));
      for (std::size_t i = 0; i < out.size(); ++i) out[i] -= mean[i % c.hidden];
      return Status();
    };
    THIMBLE_RETURN_IF_ERROR(WriteTable(PositionsOf(job_), read, &writer_));
    return AppendValues<float>("embeddings.offset", offset, &writer_);
  }

  Status MeanRow(const SourceTensor& tensor, std::size_t rows, std::span<float> mean) {
    std::vector<double> sums(mean.size());
    std::vector<float> row(mean.size());
    for (std::size_t i = 0; i < rows; ++i) {
      THIMBLE_RETURN_IF_ERROR(job_.source.Read(tensor, i * row.size(), row));
      for (std::size_t k = 0; k < row.size(); ++k) sums[k] += row[k];
    }
    for (std::size_t k = 0; k < row.size(); ++k) mean[k] = static_cast<float>(sums[k] / static_cast<double>(rows));
    return Status();
  }

  Status Words() {
    const Config& c = job_.config;
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* words,
                             Find("embeddings.word_embeddings.weight", {c.vocabulary, c.hidden}));
    auto read = [&](std::size_t first, std::span<float> out) {
      THIMBLE_RETURN_IF_ERROR(GoOn());
      return job_.source.Read(*words, first * c.hidden, out);
    };
    THIMBLE_RETURN_IF_ERROR(WriteTable(WordsOf(job_), read, &writer_));
    return GoOn();
  }

  Status ReadNorm(const std::string& from, NormSource* norm) {
    THIMBLE_RETURN_IF_ERROR(ReadAll(from + ".weight", job_.config.hidden, &norm->gamma));
    return ReadAll(from + ".bias", job_.config.hidden, &norm->beta);
  }
  Status Norm(const NormSource& norm, const std::string& to) {
    THIMBLE_RETURN_IF_ERROR(AppendValues<float>(to + ".weight", norm.gamma, &writer_));
    return AppendValues<float>(to + ".bias", norm.beta, &writer_);
  }

  // The embeddings of all sequences of the forward pass.
  Status Embed(const NormSource& norm) {
    const Config& c = job_.config;
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* words,
                             Find("embeddings.word_embeddings.weight", {c.vocabulary, c.hidden}));
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* positions,
                             Find("embeddings.position_embeddings.weight", {c.positions, c.hidden}));
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* types, FindTypes());
    std::vector<float> type(c.hidden);
    THIMBLE_RETURN_IF_ERROR(job_.source.Read(*types, 0, type));
    auto rows_of = [&](const SourceTensor* tensor) {
      return [this, tensor](std::size_t row, std::span<float> out) {
        return job_.source.Read(*tensor, row * out.size(), out);
      };
    };
    return forward_.Embed(rows_of(words), rows_of(positions), type, norm);
  }

  Status Layer(std::size_t i) {
    const LayerSpecs specs = SpecsOf(job_, i);
    const std::string from = "encoder.layer." + std::to_string(i) + ".", to = "layers." + std::to_string(i) + ".";
    LayerSource layer;
    THIMBLE_RETURN_IF_ERROR(Qkv(specs.qkv, from + "attention.self.", &layer.qkv));
    THIMBLE_RETURN_IF_ERROR(Matrix(specs.attention_output, from + "attention.output.dense", &layer.attention_output));
    THIMBLE_RETURN_IF_ERROR(ReadNorm(from + "attention.output.LayerNorm", &layer.attention_norm));
    THIMBLE_RETURN_IF_ERROR(Matrix(specs.ffn_in, from + "intermediate.dense", &layer.ffn_in));
    THIMBLE_RETURN_IF_ERROR(Matrix(specs.ffn_out, from + "output.dense", &layer.ffn_out));
    THIMBLE_RETURN_IF_ERROR(ReadNorm(from + "output.LayerNorm", &layer.ffn_norm));
    if (calibrator_ != nullptr) calibrator_->Begin();
    THIMBLE_RETURN_IF_ERROR(forward_.Run(layer, [this](auto... input) {
      if (calibrator_ != nullptr) calibrator_->Watch(input...);
      return GoOn();
    }));
    THIMBLE_RETURN_IF_ERROR(Write(Input::kQkv, layer.qkv));
    THIMBLE_RETURN_IF_ERROR(Write(Input::kAttentionOutput, layer.attention_output));
    THIMBLE_RETURN_IF_ERROR(Norm(layer.attention_norm, to + "attention_norm"));
    THIMBLE_RETURN_IF_ERROR(Write(Input::kFfnIn, layer.ffn_in));
    THIMBLE_RETURN_IF_ERROR(Write(Input::kFfnOut, layer.ffn_out));
    return Norm(layer.ffn_norm, to + "ffn_norm");
  }

  Status Write(Input input, const MatrixSource& source) {
    THIMBLE_RETURN_IF_ERROR(GoOn());
    ++written_;
    if (calibrator_ == nullptr) return WriteMatrix(source.spec, source.read, nullptr, source.bias, &writer_);
    THIMBLE_ASSIGN_OR_RETURN(QuantizedMatrix matrix, calibrator_->Quantize(input, source));
    return WriteMatrix(source.spec, source.read, &matrix, source.bias, &writer_);
  }

  Status Matrix(const MatrixSpec& spec, const std::string& from, MatrixSource* out) {
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* weight, Find(from + ".weight", {spec.outputs, spec.inputs}));
    out->spec = spec;
    out->read = [this, weight, inputs = spec.inputs](std::size_t n, std::span<float> rows) {
      return job_.source.Read(*weight, n * inputs, rows);
    };
    return ReadAll(from + ".bias", spec.outputs, &out->bias);
  }

  // Queries, keys and values as one matrix: for each head its query outputs, then keys, then values. The query carries
  // log2(e) / sqrt(width), so that scores are exponents of two.
  Status Qkv(const MatrixSpec& spec, const std::string& from, MatrixSource* out) {
    const std::size_t h = job_.config.hidden, width = h / job_.config.heads;
    const auto query_factor = static_cast<float>(std::numbers::log2e / std::sqrt(static_cast<double>(width)));
    constexpr std::array<const char*, 3> kParts = {"query", "key", "value"};
    std::array<const SourceTensor*, 3> weights;
    std::array<std::vector<float>, 3> biases;
    for (std::size_t part = 0; part < 3; ++part) {
      THIMBLE_ASSIGN_OR_RETURN(weights[part], Find(from + kParts[part] + ".weight", {h, h}));
      THIMBLE_RETURN_IF_ERROR(ReadAll(from + kParts[part] + ".bias", h, &biases[part]));
    }
    // Output n is row `row` of `part`.
    auto locate = [width](std::size_t n) {
      struct {
        std::size_t part, row;
      } place = {n % (3 * width) / width, n / (3 * width) * width + n % width};
      return place;
    };
    out->spec = spec;
    out->bias.resize(spec.outputs);
    for (std::size_t n = 0; n < spec.outputs; ++n) {
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
