// The way of a model from a Hugging Face folder into a model file, in the order of the file.

#include "convert/convert.h"

#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <numbers>
#include <vector>

#include "base/error.h"
#include "convert/config.h"
#include "convert/json_file.h"
#include "convert/matrix_writer.h"
#include "convert/source.h"
#include "convert/tokenizer_compiler.h"
#include "format/reader.h"

namespace thimble::convert {
namespace {

using format::TensorInfo;
using kernels::WeightFormat;

constexpr std::array<std::string_view, 6> kDtypeNames = {"fp32", "fp16", "q8", "q6", "q4", "q4-small"};

// Everything known before the first tensor is read.
struct Job {
  Config config;
  Dtype dtype = Dtype::kQ8;
  Source source;
  CompiledTokenizer tokenizer;

  bool int8() const { return dtype != Dtype::kFp32 && dtype != Dtype::kFp16; }
  // What of a model keeps the most bits.
  WeightFormat FinestFormat() const {
    return dtype == Dtype::kFp32 ? WeightFormat::kF32 : dtype == Dtype::kFp16 ? WeightFormat::kF16 : WeightFormat::kQ8;
  }
  WeightFormat MatrixFormat() const {
    return dtype == Dtype::kQ6                               ? WeightFormat::kQ6
           : dtype == Dtype::kQ4 || dtype == Dtype::kQ4Small ? WeightFormat::kQ4
                                                             : FinestFormat();
  }
  // The last layer writes what is pooled: with 8 bits there the error of q4 halves. Most of that is its attention's.
  WeightFormat AttentionFormat(std::size_t layer) const {
    return layer + 1 == config.layers ? FinestFormat() : MatrixFormat();
  }
  WeightFormat FeedForwardFormat(std::size_t layer) const {
    return dtype == Dtype::kQ4Small ? MatrixFormat() : AttentionFormat(layer);
  }
  WeightFormat WordFormat() const {
    return dtype == Dtype::kQ6 || dtype == Dtype::kQ4 ? WeightFormat::kQ6
           : dtype == Dtype::kQ4Small                 ? WeightFormat::kQ4
                                                      : FinestFormat();
  }
  // Two more bits than the words, which they are added to.
  WeightFormat PositionFormat() const { return dtype == Dtype::kQ4Small ? WeightFormat::kQ6 : FinestFormat(); }
};

struct LayerSpecs {
  MatrixSpec qkv, attention_output, ffn_in, ffn_out;
};

LayerSpecs SpecsOf(const Job& job, std::size_t layer) {
  const std::size_t h = job.config.hidden, f = job.config.intermediate;
  const std::string name = "layers." + std::to_string(layer) + ".";
  const WeightFormat attention = job.AttentionFormat(layer), feed_forward = job.FeedForwardFormat(layer);
  std::optional<kernels::Rotation> hidden, inner;
  if (job.int8()) {
    hidden = kernels::RotationFor(h);
    inner = kernels::RotationFor(f);
  }
  return {{name + "qkv", attention, 3 * h, h, hidden},
          {name + "attention_output", attention, h, h, std::nullopt},
          {name + "ffn_in", feed_forward, f, h, hidden},
          {name + "ffn_out", feed_forward, h, f, inner}};
}

TableSpec WordsOf(const Job& job) {
  return {"embeddings.words", job.WordFormat(), job.config.vocabulary, job.config.hidden};
}
TableSpec PositionsOf(const Job& job) {
  return {"embeddings.positions", job.PositionFormat(), job.config.positions, job.config.hidden};
}

void DeclareVector(const std::string& name, std::size_t size, format::ElementType type, format::Layout* layout) {
  TensorInfo tensor;
  tensor.name = name;
  tensor.type = type;
  tensor.shape = {size};
  layout->tensors.push_back(tensor);
}

void DeclareNorm(const std::string& name, std::size_t width, format::Layout* layout) {
  DeclareVector(name + ".weight", width, format::ElementType::kF32, layout);
  DeclareVector(name + ".bias", width, format::ElementType::kF32, layout);
}

std::string NumberText(double value) {
  char buffer[32];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  return std::string(buffer, end);
}

format::Layout LayoutOf(const Job& job, const std::string& name) {
  const Config& c = job.config;
  format::Layout layout;
  layout.metadata = {{"name", name},
                     {"dtype", std::string(DtypeName(job.dtype))},
                     {"architecture", "bert"},
                     {"activation", "gelu"},
                     {"hidden_size", std::to_string(c.hidden)},
                     {"layers", std::to_string(c.layers)},
                     {"heads", std::to_string(c.heads)},
                     {"intermediate_size", std::to_string(c.intermediate)},
                     {"positions", std::to_string(c.positions)},
                     {"vocabulary", std::to_string(c.vocabulary)},
                     {"layer_norm_eps", NumberText(c.layer_norm_epsilon)},
                     {"pooling", std::string(PoolingName(c.pooling))},
                     {"normalize", c.normalize ? "true" : "false"},
                     {"max_tokens", std::to_string(c.max_tokens)}};
  if (job.int8()) {
    layout.metadata.emplace_back("rotation.hidden", kernels::RotationName(kernels::RotationFor(c.hidden)));
    layout.metadata.emplace_back("rotation.intermediate", kernels::RotationName(kernels::RotationFor(c.intermediate)));
  }
  const text::Tables tables = job.tokenizer.tables();
  text::ForEachScalar(tables, [&](const char* key, std::uint32_t value) {
    layout.metadata.emplace_back(std::string("tokenizer.") + key, std::to_string(value));
  });
  text::ForEachArray(tables, [&](const char* key, const auto& array) {
    using Element = std::remove_const_t<typename std::remove_reference_t<decltype(array)>::element_type>;
    DeclareVector(std::string("tokenizer.") + key, array.size(), format::ElementOf<Element>::kType, &layout);
  });
  Declare(PositionsOf(job), &layout);
  DeclareVector("embeddings.offset", c.hidden, format::ElementType::kF32, &layout);
  DeclareNorm("embeddings.norm", c.hidden, &layout);
  for (std::size_t i = 0; i < c.layers; ++i) {
    LayerSpecs specs = SpecsOf(job, i);
    const std::string prefix = "layers." + std::to_string(i) + ".";
    Declare(specs.qkv, &layout);
    Declare(specs.attention_output, &layout);
    DeclareNorm(prefix + "attention_norm", c.hidden, &layout);
    Declare(specs.ffn_in, &layout);
    Declare(specs.ffn_out, &layout);
    DeclareNorm(prefix + "ffn_norm", c.hidden, &layout);
  }
  Declare(WordsOf(job), &layout);
  return layout;
}

// Writes the tensors of one job in order. Every member function returns the first failure.
class Conversion {
 public:
  Conversion(Job* job, format::Writer* writer, const std::function<void(double)>& progress)
      : job_(*job), writer_(*writer), progress_(progress) {}

  Status Run() {
    const Config& c = job_.config;
    THIMBLE_RETURN_IF_ERROR(Tokenizer());
    THIMBLE_RETURN_IF_ERROR(Positions());
    THIMBLE_RETURN_IF_ERROR(Norm("embeddings.LayerNorm", "embeddings.norm"));
    for (std::size_t i = 0; i < c.layers; ++i) {
      const LayerSpecs specs = SpecsOf(job_, i);
      const std::string from = "encoder.layer." + std::to_string(i) + ".", to = "layers." + std::to_string(i) + ".";
      THIMBLE_RETURN_IF_ERROR(Qkv(specs.qkv, from + "attention.self."));
      THIMBLE_RETURN_IF_ERROR(Matrix(specs.attention_output, from + "attention.output.dense"));
      THIMBLE_RETURN_IF_ERROR(Norm(from + "attention.output.LayerNorm", to + "attention_norm"));
      THIMBLE_RETURN_IF_ERROR(Matrix(specs.ffn_in, from + "intermediate.dense"));
      THIMBLE_RETURN_IF_ERROR(Matrix(specs.ffn_out, from + "output.dense"));
      THIMBLE_RETURN_IF_ERROR(Norm(from + "output.LayerNorm", to + "ffn_norm"));
      if (progress_) progress_(static_cast<double>(i + 1) / static_cast<double>(c.layers + 1));
    }
    THIMBLE_RETURN_IF_ERROR(Words());
    if (progress_) progress_(1);
    return Status();
  }

 private:
  Result<const SourceTensor*> Find(const std::string& name, std::initializer_list<std::uint64_t> shape) const {
    return job_.source.Find(name, {shape.begin(), shape.size()});
  }

  // The whole of a small tensor.
  Status ReadAll(const std::string& name, std::size_t size, std::vector<float>* out) {
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* tensor, Find(name, {size}));
    out->resize(size);
    return job_.source.Read(*tensor, 0, *out);
  }

  Status Tokenizer() {
    const text::Tables tables = job_.tokenizer.tables();
    Status status;
    text::ForEachArray(tables, [&](const char* key, const auto& array) {
      if (status.ok()) status = writer_.Append(std::string("tokenizer.") + key, std::as_bytes(array));
    });
    return status;
  }

  Status Positions() {
    const Config& c = job_.config;
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* positions,
                             Find("embeddings.position_embeddings.weight", {c.positions, c.hidden}));
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* types,
                             Find("embeddings.token_type_embeddings.weight", {c.token_types, c.hidden}));
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
      return job_.source.Read(*words, first * c.hidden, out);
    };
    return WriteTable(WordsOf(job_), read, &writer_);
  }

  Status Norm(const std::string& from, const std::string& to) {
    std::vector<float> values;
    THIMBLE_RETURN_IF_ERROR(ReadAll(from + ".weight", job_.config.hidden, &values));
    THIMBLE_RETURN_IF_ERROR(AppendValues<float>(to + ".weight", values, &writer_));
    THIMBLE_RETURN_IF_ERROR(ReadAll(from + ".bias", job_.config.hidden, &values));
    return AppendValues<float>(to + ".bias", values, &writer_);
  }

  Status Matrix(const MatrixSpec& spec, const std::string& from) {
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* weight, Find(from + ".weight", {spec.outputs, spec.inputs}));
    std::vector<float> bias;
    THIMBLE_RETURN_IF_ERROR(ReadAll(from + ".bias", spec.outputs, &bias));
    auto read = [&](std::size_t n, std::span<float> out) { return job_.source.Read(*weight, n * spec.inputs, out); };
    return WriteMatrix(spec, read, bias, &writer_);
  }

  // Queries, keys and values as one matrix: for each head its query outputs, then keys, then values. The query carries
  // log2(e) / sqrt(width), so that scores are exponents of two.
  Status Qkv(const MatrixSpec& spec, const std::string& from) {
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
    auto locate = [&](std::size_t n) {
      struct {
        std::size_t part, row;
      } place = {n % (3 * width) / width, n / (3 * width) * width + n % width};
      return place;
    };
    std::vector<float> bias(spec.outputs);
    for (std::size_t n = 0; n < spec.outputs; ++n) {
      auto [part, row] = locate(n);
      bias[n] = biases[part][row] * (part == 0 ? query_factor : 1.0f);
    }
    auto read = [&](std::size_t n, std::span<float> out) {  // A strip never crosses parts: widths are multiples of 32.
      auto [part, row] = locate(n);
      THIMBLE_RETURN_IF_ERROR(job_.source.Read(*weights[part], row * h, out));
      if (part == 0) {
        for (float& value : out) value *= query_factor;
      }
      return Status();
    };
    return WriteMatrix(spec, read, bias, &writer_);
  }

  Job& job_;
  format::Writer& writer_;
  const std::function<void(double)>& progress_;
};

// The file of a folder's weights: safetensors, or else the plain ONNX export.
std::string WeightsOf(const std::string& folder) {
  constexpr const char* kSafetensors = "/model.safetensors";
  std::error_code error;
  for (const char* name : {kSafetensors, "/onnx/model.onnx", "/model.onnx", "/onnx/model_fp16.onnx"}) {
    if (std::filesystem::exists(folder + name, error)) return folder + name;
  }
  return folder + kSafetensors;  // Whose absence is then the error.
}

Result<Job> Prepare(const std::string& folder, Dtype dtype) {
  THIMBLE_ASSIGN_OR_RETURN(Config config, ReadConfig(folder));
  const std::string tokenizer_path = folder + "/tokenizer.json";
  CompiledTokenizer tokenizer;
  {
    THIMBLE_ASSIGN_OR_RETURN(std::string json, ReadFile(tokenizer_path, kMaxTokenizerBytes));
    THIMBLE_ASSIGN_OR_RETURN(tokenizer, CompileTokenizer(json, tokenizer_path));
  }
  if (tokenizer.vocabulary > config.vocabulary) {
    return Error(Code::kCorrupt, tokenizer_path, ": ids up to ", tokenizer.vocabulary - 1,
                 ", config.json has vocab_size ", config.vocabulary);
  }
  const std::size_t special = tokenizer.tables().prefix_count + tokenizer.tables().suffix_count;
  if (config.max_tokens <= special) {
    return Error(Code::kCorrupt, folder, ": a limit of ", config.max_tokens, " tokens leaves no room beside ", special,
                 " special tokens");
  }
  THIMBLE_ASSIGN_OR_RETURN(Source source, Source::Open(WeightsOf(folder)));
  return Job{config, dtype, std::move(source), std::move(tokenizer)};
}

}  // namespace

std::string_view DtypeName(Dtype dtype) { return kDtypeNames[static_cast<std::size_t>(dtype)]; }

Result<Dtype> ParseDtype(std::string_view name) {
  for (std::size_t i = 0; i < kDtypeNames.size(); ++i) {
    if (kDtypeNames[i] == name) return static_cast<Dtype>(i);
  }
  return Error(Code::kInvalidArgument, "unknown dtype \"", name, "\", expected fp32, fp16, q8, q6, q4 or q4-small");
}

Status Convert(const std::string& source, const std::string& output, const Options& options) {
  THIMBLE_ASSIGN_OR_RETURN(Job job, Prepare(source, options.dtype));
  std::string name = options.name;
  if (name.empty()) name = std::filesystem::path(source + "/.").lexically_normal().parent_path().filename().string();
  THIMBLE_ASSIGN_OR_RETURN(format::Writer writer, format::Writer::Create(output, LayoutOf(job, name)));
  THIMBLE_RETURN_IF_ERROR(Conversion(&job, &writer, options.progress).Run());
  return writer.Finish();
}

}  // namespace thimble::convert
