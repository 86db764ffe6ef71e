// Reading the configuration of sentence-transformers and transformers folders.

#include "convert/config.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "convert/classifier.h"
#include "convert/folder_files.h"
#include "json/json_file.h"

namespace thimble::convert {
namespace {

using kernels::Activation;

constexpr std::size_t kMaxPrompts = 64;

// Some of them are one formula under several names.
constexpr std::pair<std::string_view, Activation> kActivations[] = {{"gelu", Activation::kGelu},
                                                                    {"gelu_python", Activation::kGelu},
                                                                    {"gelu_new", Activation::kGeluTanh},
                                                                    {"gelu_pytorch_tanh", Activation::kGeluTanh},
                                                                    {"gelu_python_tanh", Activation::kGeluTanh},
                                                                    {"gelu_fast", Activation::kGeluTanh},
                                                                    {"gelu_accurate", Activation::kGeluTanh},
                                                                    {"quick_gelu", Activation::kQuickGelu},
                                                                    {"silu", Activation::kSilu},
                                                                    {"swish", Activation::kSilu},
                                                                    {"relu", Activation::kRelu},
                                                                    {"tanh", Activation::kTanh}};

Status Unsupported(const json::JsonFile& file, std::string_view key, std::string_view expected,
                   std::string_view found) {
  return Error(Code::kUnsupported, file.path(), ": \"", key, "\": expected ", expected, ", found ", found);
}

// kUnsupported unless the text field is absent or `expected`.
Status RequireText(const json::JsonFile& file, std::string_view key, std::string_view expected) {
  THIMBLE_ASSIGN_OR_RETURN(std::optional<std::string> found, file.Text(key));
  if (!found || *found == expected) return Status();
  return Unsupported(file, key, "\"" + std::string(expected) + "\"", "\"" + *found + "\"");
}

// kUnsupported unless the field is absent, false, or an empty object or array.
Status RequireNothing(const json::JsonFile& file, std::string_view key) {
  const json::Value* value = file.Find(key);
  if (value == nullptr || value->empty() || (value->is_boolean() && !value->boolean())) return Status();
  return Unsupported(file, key, "nothing", value->Text());
}

// What config.json, `file`, and config_sentence_transformers.json say of a cross-encoder, if it is one.
Status ReadClassifier(const std::string& source, const json::JsonFile& file, Config* config) {
  THIMBLE_ASSIGN_OR_RETURN(const std::string name, ClassifierClass(file));
  if (name.empty()) return Status();
  const std::string known = std::string(config->family->class_prefix) + std::string(kClassifierEnd);
  if (name != known) return Unsupported(file, "architectures", "\"" + known + "\"", "\"" + name + "\"");
  config->classifier.emplace();
  THIMBLE_RETURN_IF_ERROR(ReadLabels(file, &config->classifier->labels));
  THIMBLE_ASSIGN_OR_RETURN(const json::JsonFile sentence,
                           json::JsonFile::OpenIfPresent(source + "/config_sentence_transformers.json"));
  return ReadScoreActivation(sentence, file, &*config->classifier);
}

// By model_type, or by the class of the model where a folder is older than that.
Result<const Family*> ReadFamily(const json::JsonFile& file) {
  THIMBLE_ASSIGN_OR_RETURN(std::optional<std::string> type, file.Text("model_type"));
  if (type) {
    if (const Family* family = FindFamily(*type)) return family;
    const std::string_view missing = MissingFor(*type);
    return Unsupported(
        file, "model_type", FamilyNames(),
        "\"" + *type + "\"" + (missing.empty() ? "" : ", for which thimble lacks ") + std::string(missing));
  }
  const json::Value* classes = file.Find("architectures");
  if (classes != nullptr && classes->is_array() && classes->array().size() == 1 && classes->array()[0].is_string()) {
    if (const Family* family = FindFamilyOfClass(classes->array()[0].string())) return family;
    return Unsupported(file, "architectures", "a class of " + FamilyNames(), classes->Text());
  }
  return file.Corrupt("model_type", FamilyNames() + ", found nothing");
}

// What padded positions need: the pad token's id, and how many of the rows are positions.
Status ReadPadding(const json::JsonFile& file, Config* config) {
  const Family& family = *config->family;
  if (family.pad_id == nullptr) return Status();
  model::Architecture& encoder = config->encoder;
  std::uint64_t id = family.default_pad_id;
  const bool named = *family.pad_id != '\0';
  if (named) {
    THIMBLE_ASSIGN_OR_RETURN(const std::optional<std::uint64_t> stated,
                             file.Integer(family.pad_id, 0, encoder.vocabulary - 1));
    id = stated.value_or(id);
  }
  if (encoder.positions < id + 4) {
    return Unsupported(file, named ? family.pad_id : "max_position_embeddings",
                       "three positions or more behind row " + std::to_string(id),
                       std::to_string(encoder.positions) + " rows");
  }
  encoder.pad_id = static_cast<std::int32_t>(id);
  encoder.positions -= id + 1;
  return Status();
}

// With `may_classify`, it may be a cross-encoder.
Status ReadTransformer(const std::string& source, bool may_classify, Config* config) {
  THIMBLE_ASSIGN_OR_RETURN(json::JsonFile file,
                           json::JsonFile::Open(source + "/" + JoinName(config->transformer, "config.json")));
  THIMBLE_ASSIGN_OR_RETURN(config->family, ReadFamily(file));
  const Family& family = *config->family;
  for (const Family::Text& text : family.required) THIMBLE_RETURN_IF_ERROR(RequireText(file, text.key, text.value));
  for (const char* key : {"is_decoder", "add_cross_attention", "quantization_config"}) {
    THIMBLE_RETURN_IF_ERROR(RequireNothing(file, key));
  }
  if (const DistanceBuckets* buckets = family.buckets; buckets != nullptr) {
    THIMBLE_ASSIGN_OR_RETURN(const std::optional<std::uint64_t> rows,
                             file.Integer(buckets->rows, buckets->used_rows(), 1 << 10));
    config->bucket_rows = rows.value_or(buckets->default_rows);
    config->encoder.relative_reach = buckets->reach();
  }
  THIMBLE_ASSIGN_OR_RETURN(std::optional<std::string> hidden_act, file.Text(family.activation));
  config->hidden_act = hidden_act.value_or(family.default_activation);
  const std::optional<Activation> activation = HiddenActivation(config->hidden_act);
  if (!activation) {
    std::string known;
    for (const auto& [name, value] : kActivations) known.append(known.empty() ? "" : ", ").append(name);
    return Unsupported(file, family.activation, known, "\"" + config->hidden_act + "\"");
  }
  config->encoder.activation = *activation;
  for (const model::NamedSize& size : family.sizes) {
    THIMBLE_ASSIGN_OR_RETURN(config->encoder.*size.size, file.RequiredInteger(size.key, size.low, size.high));
  }
  config->tokenizer.embeddings = config->encoder.vocabulary;
  THIMBLE_RETURN_IF_ERROR(ReadPadding(file, config));
  config->token_types = family.default_token_types;
  if (family.token_types != nullptr) {
    THIMBLE_ASSIGN_OR_RETURN(std::optional<std::uint64_t> token_types, file.Integer(family.token_types, 1, 1 << 10));
    config->token_types = token_types.value_or(family.default_token_types);
  }
  if (may_classify) THIMBLE_RETURN_IF_ERROR(ReadClassifier(source, file, config));
  config->encoder.norm_epsilon = family.default_epsilon;
  if (family.epsilon == nullptr) return model::CheckSizes(config->encoder, file.path(), Code::kUnsupported);
  THIMBLE_ASSIGN_OR_RETURN(std::optional<double> epsilon, file.Number(family.epsilon));
  config->encoder.norm_epsilon = epsilon.value_or(family.default_epsilon);
  if (!(config->encoder.norm_epsilon > 0 && config->encoder.norm_epsilon < 1)) {
    return file.Corrupt(family.epsilon, "a number between 0 and 1");
  }
  return model::CheckSizes(config->encoder, file.path(), Code::kUnsupported);
}

// The file that says how the transformer module takes its texts, under the first of its names that is there.
Result<json::JsonFile> OpenSentenceConfig(const std::string& folder) {
  for (const char* name : {"bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet"}) {
    THIMBLE_ASSIGN_OR_RETURN(json::JsonFile file,
                             json::JsonFile::OpenIfPresent(folder + "/sentence_" + std::string(name) + "_config.json"));
    if (file.present() && !file.json().empty()) return file;
  }
  return json::JsonFile::OpenIfPresent(folder + "/sentence_bert_config.json");
}

// What the transformer module hands on must be `output`: the vectors of the tokens of a text, or scores.
Status CheckModality(const json::JsonFile& file, const std::string& wanted) {
  const json::Value* modality = file.Find("modality_config");
  if (modality == nullptr) return Status();
  const json::Value* text = modality->Find("text");
  const json::Value* method = text == nullptr ? nullptr : text->Find("method");
  const json::Value* output = text == nullptr ? nullptr : text->Find("method_output_name");
  if (method != nullptr && method->Is("forward") && output != nullptr && output->Is(wanted) &&
      text->object().size() == 2) {
    return Status();
  }
  return Unsupported(file, "modality_config", "text by \"forward\" to \"" + wanted + "\"", modality->Text());
}

// A field under its name of today or that of before; what it holds changes the tokenizer or the model.
const json::Value* FindKwargs(const json::JsonFile& file, std::string_view name, std::string_view old_name) {
  const json::Value* value = file.Find(old_name);
  return value != nullptr ? value : file.Find(name);
}

// Keys of model_kwargs that change how vectors are computed, and not what they are.
Status CheckModelKwargs(const json::JsonFile& file) {
  const json::Value* kwargs = FindKwargs(file, "model_kwargs", "model_args");
  if (kwargs == nullptr) return Status();
  if (!kwargs->is_object()) return file.Corrupt("model_kwargs", "an object");
  for (const auto& [key, value] : kwargs->object()) {
    static constexpr std::string_view kHarmless[] = {"torch_dtype",       "dtype",      "attn_implementation",
                                                     "low_cpu_mem_usage", "device_map", "use_safetensors",
                                                     "trust_remote_code"};
    if (std::find(std::begin(kHarmless), std::end(kHarmless), key) != std::end(kHarmless)) continue;
    if (key == "add_pooling_layer") continue;  // A layer that sentence embeddings do not use.
    return Unsupported(file, "model_kwargs", "nothing that changes vectors", "\"" + key + "\"");
  }
  return Status();
}

// processing_kwargs: {"text": {"max_length": N}} limits texts; nothing else of it is supported.
Status ReadProcessing(const json::JsonFile& file, Config* config) {
  const json::Value* kwargs = file.Find("processing_kwargs");
  if (kwargs == nullptr) return Status();
  if (!kwargs->is_object()) return file.Corrupt("processing_kwargs", "an object");
  for (const auto& [modality, settings] : kwargs->object()) {
    if (settings.is_null() || settings.empty()) continue;
    if (modality != "text" || !settings.is_object()) {
      return Unsupported(file, "processing_kwargs", "\"text\"", "\"" + modality + "\"");
    }
    for (const auto& [key, value] : settings.object()) {
      if (value.is_null() || key == "padding") continue;
      if (key != "max_length" || !value.is_unsigned() || value.integer() == 0 || value.integer() > (1 << 20)) {
        return Unsupported(file, "processing_kwargs.text", "\"max_length\" with an integer from 1",
                           "\"" + key + "\" with " + value.Text());
      }
      config->max_seq_length = value.integer();
    }
  }
  return Status();
}

Status ReadSentenceConfig(const std::string& source, Config* config) {
  THIMBLE_ASSIGN_OR_RETURN(json::JsonFile file, OpenSentenceConfig(TransformerFolder(source, config->transformer)));
  if (!file.json().is_object()) return Error(Code::kCorrupt, file.path(), ": expected a JSON object");
  static constexpr std::string_view kKnown[] = {
      "max_seq_length",     "do_lower_case",     "model_args",   "model_kwargs",
      "tokenizer_args",     "processor_kwargs",  "config_args",  "config_kwargs",
      "transformer_task",   "modality_config",   "unpad_inputs", "query_expansion",
      "module_output_name", "processing_kwargs", "query_length", "document_length"};
  for (const auto& [key, value] : file.json().object()) {
    if (!value.is_null() && std::find(std::begin(kKnown), std::end(kKnown), key) == std::end(kKnown)) {
      return Error(Code::kUnsupported, file.path(), ": \"", key, "\" is not known to thimble");
    }
  }
  const bool scores = config->classifier.has_value();
  THIMBLE_RETURN_IF_ERROR(
      RequireText(file, "transformer_task", scores ? "sequence-classification" : "feature-extraction"));
  THIMBLE_RETURN_IF_ERROR(RequireText(file, "module_output_name", scores ? "scores" : "token_embeddings"));
  for (const char* key : {"config_args", "config_kwargs", "query_length", "document_length", "query_expansion"}) {
    THIMBLE_RETURN_IF_ERROR(RequireNothing(file, key));
  }
  THIMBLE_RETURN_IF_ERROR(CheckModality(file, scores ? "logits" : "last_hidden_state"));
  THIMBLE_RETURN_IF_ERROR(CheckModelKwargs(file));
  THIMBLE_ASSIGN_OR_RETURN(config->max_seq_length, file.Integer("max_seq_length", 1, 1 << 20));
  THIMBLE_RETURN_IF_ERROR(ReadProcessing(file, config));
  THIMBLE_ASSIGN_OR_RETURN(const std::optional<bool> lower, file.Boolean("do_lower_case"));
  config->tokenizer.do_lower_case = lower.value_or(false);
  if (const json::Value* kwargs = FindKwargs(file, "processor_kwargs", "tokenizer_args"); kwargs != nullptr) {
    if (!kwargs->is_object()) return file.Corrupt("processor_kwargs", "an object");
    config->tokenizer.arguments = *kwargs;
  }
  return Status();
}

Status ReadModulesOf(const std::string& source, Config* config) {
  THIMBLE_ASSIGN_OR_RETURN(json::JsonFile file, json::JsonFile::OpenIfPresent(source + "/modules.json"));
  if (!file.present()) return ReadTransformer(source, true, config);
  // A cross-encoder has just the transformer.
  const json::Array* modules = file.json().is_array() ? &file.json().array() : nullptr;
  const bool is_alone = modules != nullptr && modules->size() == 1;
  const json::Value* folder = is_alone ? modules->front().Find("path") : nullptr;
  const json::Value* type = is_alone ? modules->front().Find("type") : nullptr;
  if (type != nullptr && type->is_string() && IsTransformer(type->string()) && folder != nullptr &&
      folder->is_string() && (folder->Is("") || IsInside(folder->string()))) {
    config->transformer = folder->string();
    THIMBLE_RETURN_IF_ERROR(ReadTransformer(source, true, config));
    if (config->classifier) return Status();
  }
  THIMBLE_RETURN_IF_ERROR(ReadModules(source, file, config));
  THIMBLE_RETURN_IF_ERROR(ReadTransformer(source, false, config));
  return SizeModules(source, config);
}

// Texts before texts. An empty one says nothing, but its name may be asked for.
Status ReadPrompts(const json::JsonFile& file, Config* config) {
  THIMBLE_ASSIGN_OR_RETURN(std::optional<std::string> name, file.Text("default_prompt_name"));
  const json::Value* prompts = file.Find("prompts");
  if (prompts != nullptr) {
    if (!prompts->is_object()) return file.Corrupt("prompts", "an object");
    if (prompts->object().size() > kMaxPrompts) return file.Corrupt("prompts", "at most 64 prompts");
    for (const auto& [key, text] : prompts->object()) {
      if (!text.is_string() && !text.is_null()) return file.Corrupt("prompts." + key, "a string");
      config->prompts.push_back({key, text.is_null() ? std::string() : text.string()});
    }
  }
  if (!name) return Status();
  config->default_prompt_name = *name;
  const bool known = std::any_of(config->prompts.begin(), config->prompts.end(),
                                 [&](const Prompt& prompt) { return prompt.name == *name; });
  return known ? Status()
               : file.Corrupt("default_prompt_name", "the name of one of the prompts, found \"" + *name + "\"");
}

Status ReadSentenceTransformers(const std::string& source, Config* config) {
  THIMBLE_ASSIGN_OR_RETURN(json::JsonFile file,
                           json::JsonFile::OpenIfPresent(source + "/config_sentence_transformers.json"));
  THIMBLE_RETURN_IF_ERROR(RequireText(file, "model_type", config->classifier ? "CrossEncoder" : "SentenceTransformer"));
  THIMBLE_RETURN_IF_ERROR(ReadPrompts(file, config));
  THIMBLE_ASSIGN_OR_RETURN(const std::optional<std::uint64_t> dimensions, file.Integer("truncate_dim", 1, 1 << 14));
  if (!dimensions || !config->head) return Status();
  model::HeadSpec& head = *config->head;
  const std::size_t width = head.Dimensions(config->encoder.hidden);
  if (*dimensions >= width) return Status();
  head.modules.push_back({.kind = model::HeadModule::Kind::kTruncate, .inputs = width, .outputs = *dimensions});
  config->head_folders.emplace_back();
  return Status();
}

}  // namespace

std::string TransformerFolder(const std::string& source, const std::string& transformer) {
  return transformer.empty() ? source : source + "/" + transformer;
}

std::optional<Activation> HiddenActivation(std::string_view hidden_act) {
  for (const auto& [name, activation] : kActivations) {
    if (name == hidden_act) return activation;
  }
  return std::nullopt;
}

Result<Config> ReadConfig(const std::string& source) {
  Config config;
  THIMBLE_RETURN_IF_ERROR(ReadModulesOf(source, &config));
  THIMBLE_RETURN_IF_ERROR(ReadSentenceConfig(source, &config));
  THIMBLE_RETURN_IF_ERROR(ReadSentenceTransformers(source, &config));
  THIMBLE_ASSIGN_OR_RETURN(
      const json::JsonFile adapter,
      json::JsonFile::OpenIfPresent(source + "/" + JoinName(config.transformer, "adapter_config.json")));
  if (adapter.present()) {
    return Error(Code::kUnsupported, adapter.path(), ": adapters are not supported; merge it into the model");
  }
  if (config.head) {
    config.normalize = config.head->TakeNormalize();
    config.head_folders.resize(config.head->modules.size());
  }
  return config;
}

}  // namespace thimble::convert
