// Loading weights: every name, shape and range is checked here and nowhere later.

#include "model/weights.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/checked.h"
#include "base/error.h"
#include "base/finite.h"
#include "base/sha256.h"
#include "format/dtypes.h"
#include "format/tensors.h"
#include "model/receipt_tensors.h"
#include "model/tokenizer_tensors.h"

namespace thimble::model {
namespace {

using format::Reader;
using format::StoredTensor;
using format::WeightFormat;
using kernels::Matrix;
using kernels::Table;

// The model_max_length of files that do not tell it.
constexpr std::size_t kModelMaxLength = 512;

constexpr std::string_view kPromptPrefix = "prompt.";
constexpr std::string_view kHeadPrefix = "head.";

// Rounding to integers would turn a value that is not finite into a wrong number. Each text needs these vectors, so
// that reading them costs nothing later.
Status CheckFinite(const Reader& reader, std::string_view name, std::span<const float> values) {
  if (base::AllFinite(values)) return Status();
  return Error(Code::kCorrupt, reader.path(), ": tensor \"", name,
               "\": has a value that is not finite, so the file is damaged; convert or pull the model again");
}

Status LoadVector(const Reader& reader, const std::string& name, std::size_t length, const float** out) {
  THIMBLE_ASSIGN_OR_RETURN(std::span<const float> values, reader.Tensor<float>(name, {length}));
  *out = values.data();
  return CheckFinite(reader, name, values);
}

Result<WeightFormat> LoadFormat(const Reader& reader, const std::string& matrix) {
  const std::string key = matrix + ".format";
  THIMBLE_ASSIGN_OR_RETURN(std::string_view text, reader.Text(key));
  for (std::size_t i = 0; i < std::size(format::kWeightFormatNames); ++i) {
    if (text == format::kWeightFormatNames[i]) return static_cast<WeightFormat>(i);
  }
  return reader.Unknown(key, "weight format");
}

Status LoadMatrix(const Reader& reader, const std::string& name, std::size_t outputs, std::size_t inputs, bool int8,
                  Matrix* matrix) {
  THIMBLE_ASSIGN_OR_RETURN(matrix->format, LoadFormat(reader, name));
  if (format::IsInteger(matrix->format) != int8) {
    return reader.Mismatch(name + ".format", format::WeightFormatNames(int8));
  }
  matrix->outputs = outputs;
  matrix->inputs = inputs;
  for (const StoredTensor& stored : format::TensorsOfMatrix(matrix->format, outputs, inputs)) {
    const std::string tensor = name + std::string(stored.suffix());
    THIMBLE_ASSIGN_OR_RETURN(const std::span<const std::byte> bytes, reader.Bytes(tensor, stored.type, stored.shape()));
    const auto* floats = reinterpret_cast<const float*>(bytes.data());
    switch (stored.role) {
      case StoredTensor::Role::kWeight:
        matrix->weights = bytes.data();
        break;
      case StoredTensor::Role::kGroups:
        matrix->groups = reinterpret_cast<const std::uint8_t*>(bytes.data());
        break;
      case StoredTensor::Role::kComp:
        matrix->comp = reinterpret_cast<const std::int32_t*>(bytes.data());
        break;
      case StoredTensor::Role::kScale:
      case StoredTensor::Role::kBias:
        (stored.role == StoredTensor::Role::kScale ? matrix->scale : matrix->bias) = floats;
        THIMBLE_RETURN_IF_ERROR(CheckFinite(reader, tensor, {floats, outputs}));
        break;
    }
  }
  return Status();
}

Status LoadTable(const Reader& reader, const std::string& name, std::size_t rows, std::size_t width, Table* table) {
  THIMBLE_ASSIGN_OR_RETURN(table->format, LoadFormat(reader, name));
  table->rows = rows;
  table->width = width;
  for (const StoredTensor& stored : format::TensorsOfTable(table->format, rows, width)) {
    THIMBLE_ASSIGN_OR_RETURN(const std::span<const std::byte> bytes,
                             reader.Bytes(name + std::string(stored.suffix()), stored.type, stored.shape()));
    if (stored.role == StoredTensor::Role::kWeight) {
      table->values = bytes.data();
    } else {
      table->scale = reinterpret_cast<const std::uint16_t*>(bytes.data());
    }
  }
  return Status();
}

Status LoadDense(const Reader& reader, const std::string& name, const HeadModule& module, Matrix* matrix) {
  return LoadMatrix(reader, name, base::RoundUp(module.outputs, kernels::kStrip),
                    base::RoundUp(module.inputs, kHeadStep), false, matrix);
}

// Pooling and the modules behind it. The metadata is described in docs/format.md.
Status LoadHead(const Reader& reader, Weights* w) {
  HeadSpec& head = w->head;
  THIMBLE_ASSIGN_OR_RETURN(std::string_view rest, reader.Text("pooling"));
  const bool stated = rest != kUnstatedPooling;
  if (!stated) rest = PoolingName(Pooling::kMean);
  while (true) {
    const std::size_t end = rest.find('+');
    const Result<Pooling> pooling = ParsePooling(rest.substr(0, end));
    if (!pooling.ok() || head.pooling.size() == kMaxPoolings) {
      return Error(Code::kCorrupt, reader.path(), ": metadata \"pooling\": ",
                   pooling.ok() ? "more than " + std::to_string(kMaxPoolings) : pooling.status().message());
    }
    head.pooling.push_back(*pooling);
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  if (reader.Metadata("include_prompt")) {
    THIMBLE_ASSIGN_OR_RETURN(head.include_prompt, reader.Boolean("include_prompt"));
  }
  std::uint64_t modules = 0;
  if (reader.Metadata("head.modules")) {
    THIMBLE_ASSIGN_OR_RETURN(modules, reader.Integer("head.modules", 1, kMaxHeadModules));
  }
  std::size_t width = head.pooling.size() * w->info.token_dimensions;
  for (std::size_t i = 0; i < modules; ++i) {
    const std::string name = std::string(kHeadPrefix) + std::to_string(i);
    HeadModule module = {.inputs = width, .outputs = width};
    HeadWeights weights;
    THIMBLE_ASSIGN_OR_RETURN(const std::string_view kind, reader.Text(name));
    if (!ParseHeadKind(kind, &module.kind)) {
      return reader.Unknown(name, "module");
    }
    if (module.kind == HeadModule::Kind::kTruncate) {
      THIMBLE_ASSIGN_OR_RETURN(module.outputs, reader.Integer(name + ".outputs", 1, width));
    } else if (module.kind == HeadModule::Kind::kDense) {
      THIMBLE_ASSIGN_OR_RETURN(module.outputs, reader.Integer(name + ".outputs", 1, kMaxHidden));
      THIMBLE_ASSIGN_OR_RETURN(const std::string_view activation, reader.Text(name + ".activation"));
      if (!ParseActivation(activation, &module.activation)) {
        return reader.Unknown(name + ".activation", "activation");
      }
      THIMBLE_ASSIGN_OR_RETURN(module.residual, reader.Boolean(name + ".residual"));
      module.bias = true;
      THIMBLE_RETURN_IF_ERROR(LoadDense(reader, name, module, &weights.dense));
      if (HeadSpec::HasResidualMatrix(module)) {
        THIMBLE_RETURN_IF_ERROR(LoadDense(reader, name + ".residual", module, &weights.residual));
      }
    } else if (module.kind == HeadModule::Kind::kLayerNorm) {
      const std::size_t filled = base::RoundUp(width, kernels::kStrip);
      THIMBLE_RETURN_IF_ERROR(LoadVector(reader, name + ".weight", filled, &weights.gamma));
      THIMBLE_RETURN_IF_ERROR(LoadVector(reader, name + ".bias", filled, &weights.beta));
    }
    width = module.outputs;
    w->info.modules.emplace_back(HeadKindName(module.kind));
    head.modules.push_back(module);
    w->head_weights.push_back(weights);
  }
  w->info.dimensions = width;
  if (stated) w->info.pooling = head.pooling;
  w->info.include_prompt = head.include_prompt;
  return Status();
}

Status LoadNorm(const Reader& reader, const std::string& name, std::size_t width, NormWeights* norm) {
  THIMBLE_RETURN_IF_ERROR(LoadVector(reader, name + ".weight", width, &norm->gamma));
  return LoadVector(reader, name + ".bias", width, &norm->beta);
}

Status CheckRotation(const Reader& reader, std::string_view key, const kernels::Rotation& rotation) {
  THIMBLE_ASSIGN_OR_RETURN(std::string_view text, reader.Text(key));
  std::string expected = kernels::RotationName(rotation);
  return text == expected ? Status() : reader.Mismatch(key, "\"" + expected + "\"");
}

// Whether a change of this entry changes vectors.
bool ShapesVectors(std::string_view key, std::string_view value) {
  static constexpr std::string_view kKeys[] = {"activation", "architecture", "default_prompt_name", "dtype",
                                               "heads",      "hidden_size",  "include_prompt",      "intermediate_size",
                                               "layers",     "max_tokens",   "layer_norm_eps",      "normalize",
                                               "pooling",    kWeightsHashKey};
  return std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys) || key.starts_with("rotation.") ||
         (key.starts_with(kEncoderPrefix) && !IsDefaultChoice(key, value)) || key.starts_with("tokenizer.") ||
         key.starts_with(kHeadPrefix) || key.ends_with(".format");
}

// Hash of the metadata that shapes vectors, sorted; empty without a hash of the weights.
std::string Fingerprint(const Reader& reader) {
  if (!reader.Metadata(kWeightsHashKey)) return "";
  std::vector<std::pair<std::string_view, std::string_view>> entries;
  const std::optional<std::string_view> name = reader.Metadata("default_prompt_name");
  const std::string default_prompt = name ? std::string(kPromptPrefix).append(*name) : "";
  for (const auto& [key, value] : reader.header().metadata) {
    if (ShapesVectors(key, value) || (name && key == default_prompt)) entries.emplace_back(key, value);
  }
  std::sort(entries.begin(), entries.end());
  base::Sha256 hash;
  for (const auto& [key, value] : entries) {
    for (std::string_view part : {key, std::string_view("=", 1), value, std::string_view("\n", 1)}) hash.Update(part);
  }
  return hash.Hex().substr(0, 32);
}

Status LoadConfig(const Reader& reader, Weights* w) {
  const Architecture& architecture = w->program.architecture;
  ModelInfo& info = w->info;
  THIMBLE_ASSIGN_OR_RETURN(info.name, reader.Text("name"));
  info.architecture = reader.Metadata("architecture").value_or("");
  THIMBLE_ASSIGN_OR_RETURN(info.dtype, reader.Text("dtype"));
  const format::DtypeFormats* dtype = format::FindDtype(info.dtype);
  if (dtype == nullptr) return reader.Unknown("dtype", "dtype");
  w->int8 = dtype->int8();
  info.token_dimensions = architecture.hidden;
  info.layers = architecture.layers;
  info.heads = architecture.heads;
  info.vocabulary = architecture.vocabulary;
  info.positions = architecture.positions;
  THIMBLE_ASSIGN_OR_RETURN(info.max_tokens, reader.Integer("max_tokens", 1, info.positions));
  THIMBLE_ASSIGN_OR_RETURN(info.normalize, reader.Boolean("normalize"));
  info.tokenizers_max_tokens = info.positions;
  if (reader.Metadata("tokenizers_max_tokens")) {
    THIMBLE_ASSIGN_OR_RETURN(info.tokenizers_max_tokens, reader.Integer("tokenizers_max_tokens", 1, info.positions));
  }
  info.model_max_length = std::min(kModelMaxLength, info.positions);
  if (reader.Metadata("model_max_length")) {
    THIMBLE_ASSIGN_OR_RETURN(info.model_max_length, reader.Integer("model_max_length", 1, info.positions));
  }
  for (const auto& [key, text] : reader.header().metadata) {
    if (key.starts_with(kPromptPrefix)) info.prompts.push_back({key.substr(kPromptPrefix.size()), text});
  }
  info.default_prompt_name = reader.Metadata("default_prompt_name").value_or("");
  const bool known = info.default_prompt_name.empty() ||
                     std::any_of(info.prompts.begin(), info.prompts.end(),
                                 [&](const Prompt& prompt) { return prompt.name == info.default_prompt_name; });
  if (!known) return reader.Mismatch("default_prompt_name", "the name of a prompt");
  info.file_bytes = reader.file_bytes();
  info.fingerprint = Fingerprint(reader);
  if (!w->int8) return Status();
  THIMBLE_RETURN_IF_ERROR(CheckRotation(reader, "rotation.hidden", w->program.stream_rotation));
  return CheckRotation(reader, "rotation.intermediate", w->program.inner_rotation);
}

}  // namespace

Result<Weights> Weights::Load(const format::Reader& reader) {
  THIMBLE_ASSIGN_OR_RETURN(const Architecture architecture, ReadArchitecture(reader));
  THIMBLE_ASSIGN_OR_RETURN(text::Tokenizer tokenizer, LoadTokenizer(reader, architecture.vocabulary));
  Weights w(architecture, tokenizer);
  THIMBLE_RETURN_IF_ERROR(LoadConfig(reader, &w));
  THIMBLE_RETURN_IF_ERROR(LoadHead(reader, &w));
  const std::size_t h = architecture.hidden;
  if (w.info.max_tokens <= tokenizer.num_special()) {
    return Error(Code::kCorrupt, reader.path(), ": max_tokens ", w.info.max_tokens, " leaves no room beside ",
                 tokenizer.num_special(), " special tokens");
  }
  THIMBLE_RETURN_IF_ERROR(LoadTable(reader, "embeddings.positions", architecture.position_rows(), h, &w.positions));
  THIMBLE_RETURN_IF_ERROR(LoadVector(reader, "embeddings.offset", h, &w.embedding_offset));
  THIMBLE_RETURN_IF_ERROR(LoadNorm(reader, "embeddings.norm", h, &w.embedding_norm));
  w.matrices.resize(architecture.layers * w.program.matrices);
  w.norms.resize(architecture.layers * w.program.norms);
  Matrix* matrix = w.matrices.data();
  NormWeights* norm = w.norms.data();
  for (std::size_t i = 0; i < architecture.layers; ++i) {
    for (const Step& step : w.program.layer) {
      const std::string name = NameOfStep(i, step);
      if (step.kind == Step::Kind::kNorm) {
        THIMBLE_RETURN_IF_ERROR(LoadNorm(reader, name, step.inputs, norm++));
      } else {
        THIMBLE_RETURN_IF_ERROR(LoadMatrix(reader, name, step.outputs, step.inputs, w.int8, matrix++));
      }
    }
  }
  THIMBLE_RETURN_IF_ERROR(LoadTable(reader, "embeddings.words", architecture.vocabulary, h, &w.words.table));
  w.words.file = &reader.map();
  w.words.offset = reader.Offset(w.words.table.values);
  w.words.row_bytes = format::RowBytes(w.words.table.format, h);
  return w;
}

Status WordTable::Read(std::span<const std::int32_t> ids, std::byte* rows) const {
  for (std::int32_t id : ids) {
    THIMBLE_RETURN_IF_ERROR(file->ReadAt(offset + static_cast<std::uint64_t>(id) * row_bytes, {rows, row_bytes}));
    rows += row_bytes;
  }
  return Status();
}

}  // namespace thimble::model
