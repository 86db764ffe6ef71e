// The way of a model from a Hugging Face folder into a model file, in the order of the file.

#include "convert/convert.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>
#include <numbers>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/processors.h"
#include "base/regular_file.h"
#include "base/sha256.h"
#include "base/thread_team.h"
#include "convert/calibration.h"
#include "convert/calibrator.h"
#include "convert/config.h"
#include "convert/forward.h"
#include "convert/json_file.h"
#include "convert/matrix_writer.h"
#include "convert/receipt.h"
#include "convert/source.h"
#include "convert/tokenizer_compiler.h"
#include "format/reader.h"
#include "text/tokenizer.h"

namespace thimble::convert {
namespace {

using format::TensorInfo;
using kernels::WeightFormat;

constexpr std::size_t kMaxThreads = 8;  // More gain little.

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
  if (job.tokenizer.max_length != 0) {
    const std::size_t limit = std::min(job.tokenizer.max_length, c.positions);
    layout.metadata.emplace_back("tokenizers_max_tokens", std::to_string(limit));
  }
  for (const Prompt& prompt : c.prompts) layout.metadata.emplace_back("prompt." + prompt.name, prompt.text);
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
  DeclareReceipt(c.hidden, &layout);
  return layout;
}

// Writes the tensors of one job in order. Every member function returns the first failure.
class Conversion {
 public:
  // `calibrator` is null for plain rounding.
  Conversion(Job* job, Forward* forward, Calibrator* calibrator, format::Writer* writer,
             const std::function<void(double)>& progress)
      : job_(*job), forward_(*forward), calibrator_(calibrator), writer_(*writer), progress_(progress) {}

  Status Run() {
    const Config& c = job_.config;
    THIMBLE_RETURN_IF_ERROR(Tokenizer());
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
    THIMBLE_ASSIGN_OR_RETURN(const SourceTensor* types,
                             Find("embeddings.token_type_embeddings.weight", {c.token_types, c.hidden}));
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
    }));
    THIMBLE_RETURN_IF_ERROR(Write(Input::kQkv, layer.qkv));
    THIMBLE_RETURN_IF_ERROR(Write(Input::kAttentionOutput, layer.attention_output));
    THIMBLE_RETURN_IF_ERROR(Norm(layer.attention_norm, to + "attention_norm"));
    THIMBLE_RETURN_IF_ERROR(Write(Input::kFfnIn, layer.ffn_in));
    THIMBLE_RETURN_IF_ERROR(Write(Input::kFfnOut, layer.ffn_out));
    return Norm(layer.ffn_norm, to + "ffn_norm");
  }

  Status Write(Input input, const MatrixSource& source) {
    // The words and the receipt count as a layer.
    const double matrices = static_cast<double>(kInputs * (job_.config.layers + 1));
    if (progress_) progress_(static_cast<double>(++written_) / matrices);
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
  format::Writer& writer_;
  const std::function<void(double)>& progress_;
  std::size_t written_ = 0;  // Matrices.
};

Result<std::string> HashOf(const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(RegularFile file, RegularFile::Open(path));
  return Sha256OfFile(file, 0, file.size());
}

std::string FormatText(WeightFormat format) {
  std::string text(kernels::WeightFormatName(format));
  if (kernels::IsTwoLevel(format)) {
    text += " (groups of " + std::to_string(kernels::MatrixLevels(format).group) + ")";
  }
  return text;
}

// What the receipt says of how the weights are kept; `report` is null without calibration.
std::string RecipeOf(const Job& job, const CalibrationReport* report) {
  std::map<WeightFormat, std::size_t> matrices;
  for (std::size_t i = 0; i < job.config.layers; ++i) {
    const LayerSpecs specs = SpecsOf(job, i);
    for (const MatrixSpec* spec : {&specs.qkv, &specs.attention_output, &specs.ffn_in, &specs.ffn_out}) {
      ++matrices[spec->format];
    }
  }
  std::string text = "matrices";
  for (const auto& [format, count] : matrices) {
    text += (text.back() == 's' ? " " : ", ") + std::to_string(count) + " in " + FormatText(format);
  }
  text += "; words " + std::string(kernels::WeightFormatName(job.WordFormat())) + ", positions " +
          std::string(kernels::WeightFormatName(job.PositionFormat()));
  if (!job.int8()) return text;
  text += "; rotation " + kernels::RotationName(kernels::RotationFor(job.config.hidden)) + " and " +
          kernels::RotationName(kernels::RotationFor(job.config.intermediate));
  if (report == nullptr) return text + "; rounded";
  text += "; gptq of " + std::to_string(report->matrices) + " matrices, where " + std::to_string(report->guarded) +
          " of " + std::to_string(report->rows) + " rows kept plain rounding";
  constexpr std::size_t kNamed = 8;
  for (std::size_t i = 0; i < std::min(report->refused.size(), kNamed); ++i) {
    text += (i == 0 ? "; rounded because gptq was no better: " : ", ") + report->refused[i];
  }
  if (report->refused.size() > kNamed) text += " and " + std::to_string(report->refused.size() - kNamed) + " more";
  return text;
}

// The file of a folder's weights: safetensors, or else the plain ONNX export.
std::string WeightsOf(const std::string& folder) {
  constexpr const char* kSafetensors = "/model.safetensors";
  std::error_code error;
  for (const char* name : {kSafetensors, "/onnx/model.onnx", "/model.onnx", "/onnx/model_fp16.onnx"}) {
    if (std::filesystem::exists(folder + name, error)) return folder + name;
  }
  return folder + kSafetensors;  // Whose absence is then the error.
}

Result<Job> Prepare(const std::string& folder, Dtype dtype, const Defaults& defaults) {
  THIMBLE_ASSIGN_OR_RETURN(Config config, ReadConfig(folder, defaults));
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
  return Job{std::move(config), dtype, std::move(source), std::move(tokenizer)};
}

}  // namespace

std::string_view DtypeName(Dtype dtype) { return kDtypeNames[static_cast<std::size_t>(dtype)]; }

Result<Dtype> ParseDtype(std::string_view name) {
  for (std::size_t i = 0; i < kDtypeNames.size(); ++i) {
    if (kDtypeNames[i] == name) return static_cast<Dtype>(i);
  }
  return Error(Code::kInvalidArgument, "unknown dtype \"", name, "\", expected fp32, fp16, q8, q6, q4 or q4-small");
}

std::string NameOf(const std::string& source) {
  return std::filesystem::path(source + "/.").lexically_normal().parent_path().filename().string();
}

Status Convert(const std::string& source, const std::string& output, const Options& options) {
  const bool floats = options.dtype == Dtype::kFp32 || options.dtype == Dtype::kFp16;
  if (!options.calibration_file.empty() && (floats || !options.calibrate)) {
    return Error(Code::kInvalidArgument, options.calibration_file, ": ",
                 floats ? DtypeName(options.dtype) : "a conversion without calibration", " has no use for it");
  }
  THIMBLE_ASSIGN_OR_RETURN(Job job, Prepare(source, options.dtype, options.defaults));
  const std::string name = options.name.empty() ? NameOf(source) : options.name;
  const Config& config = job.config;
  THIMBLE_ASSIGN_OR_RETURN(const kernels::Kernels* kernels, kernels::ChooseKernels());
  const std::size_t threads = options.threads == 0 ? std::min(UsableProcessors(), kMaxThreads) : options.threads;
  THIMBLE_ASSIGN_OR_RETURN(ThreadTeam team, ThreadTeam::Create(threads));
  const text::Tables tables = job.tokenizer.tables();
  THIMBLE_ASSIGN_OR_RETURN(const text::Tokenizer tokenizer, text::Tokenizer::Create(tables, config.vocabulary));

  // One forward pass in fp32 is for calibration and, behind that, for the vectors of the receipt.
  CalibrationSet set = {.fit = {}, .unseen = {}, .description = "none"};
  if (job.int8() && options.calibrate) {
    const std::size_t longest = std::min(config.positions, Forward::kMaxChunk);
    THIMBLE_ASSIGN_OR_RETURN(set, MakeCalibration(tokenizer, config.vocabulary, longest, options.calibration_file));
  }
  const std::size_t fit = set.fit.lengths.size(), seen = fit + set.unseen.lengths.size();
  Sequences sequences = std::move(set.fit);
  sequences.Add(set.unseen);
  sequences.Add(ReceiptSequences(tokenizer, config.max_tokens));
  const ForwardShape shape = {.hidden = config.hidden,
                              .intermediate = config.intermediate,
                              .heads = config.heads,
                              .epsilon = static_cast<float>(config.layer_norm_epsilon)};
  Forward forward(shape, std::move(sequences), {fit, seen}, *kernels, team);
  std::optional<Calibrator> calibrator;
  if (seen > 0) calibrator.emplace(shape, fit, seen, *kernels, team);

  format::Layout layout = LayoutOf(job, name);
  layout.metadata.insert(layout.metadata.end(), options.metadata.begin(), options.metadata.end());
  THIMBLE_ASSIGN_OR_RETURN(format::Writer writer, format::Writer::Create(output, std::move(layout)));
  THIMBLE_RETURN_IF_ERROR(
      Conversion(&job, &forward, calibrator ? &*calibrator : nullptr, &writer, options.progress).Run());
  ReceiptFacts facts;
  facts.recipe = RecipeOf(job, calibrator ? &calibrator->report() : nullptr);
  facts.calibration = set.description;
  THIMBLE_ASSIGN_OR_RETURN(facts.source_sha256, HashOf(WeightsOf(source)));
  THIMBLE_ASSIGN_OR_RETURN(facts.tokenizer_sha256, HashOf(source + "/tokenizer.json"));
  const std::vector<float> exact =
      PooledVectors(forward, seen, config.hidden, config.pooling, config.normalize, *kernels);
  THIMBLE_RETURN_IF_ERROR(WriteReceipt(facts, exact, *kernels, team, &writer));
  if (options.progress) options.progress(1);
  return writer.Finish();
}

}  // namespace thimble::convert
