// Reading the configuration of sentence-transformers and transformers folders.

#include "convert/config.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "convert/json_file.h"
#include "kernels/matrix.h"

namespace thimble::convert {
namespace {

constexpr std::size_t kMaxPrompts = 64;

// kUnsupported unless the text field is absent or one of `expected`.
Status RequireText(const JsonFile& file, const std::string& path, std::string_view key, std::string_view expected) {
  THIMBLE_ASSIGN_OR_RETURN(std::optional<std::string> found, file.Text(key));
  if (!found || *found == expected) return Status();
  return Error(Code::kUnsupported, path, ": \"", key, "\": expected \"", expected, "\", found \"", *found, "\"");
}

Status ReadTransformer(const std::string& folder, Config* config) {
  const std::string path = folder + "/config.json";
  THIMBLE_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Open(path));
  THIMBLE_ASSIGN_OR_RETURN(std::optional<std::string> type, file.Text("model_type"));
  if (!type) return file.Corrupt("model_type", "\"bert\", found nothing");
  THIMBLE_RETURN_IF_ERROR(RequireText(file, path, "model_type", "bert"));
  THIMBLE_RETURN_IF_ERROR(RequireText(file, path, "hidden_act", "gelu"));
  THIMBLE_RETURN_IF_ERROR(RequireText(file, path, "position_embedding_type", "absolute"));
  THIMBLE_ASSIGN_OR_RETURN(config->hidden, file.RequiredInteger("hidden_size", 1, 1 << 14));
  THIMBLE_ASSIGN_OR_RETURN(config->layers, file.RequiredInteger("num_hidden_layers", 1, 128));
  THIMBLE_ASSIGN_OR_RETURN(config->heads, file.RequiredInteger("num_attention_heads", 1, 1 << 14));
  THIMBLE_ASSIGN_OR_RETURN(config->intermediate, file.RequiredInteger("intermediate_size", 1, 1 << 16));
  THIMBLE_ASSIGN_OR_RETURN(config->positions, file.RequiredInteger("max_position_embeddings", 3, 1 << 16));
  THIMBLE_ASSIGN_OR_RETURN(config->vocabulary, file.RequiredInteger("vocab_size", 1, 1 << 24));
  THIMBLE_ASSIGN_OR_RETURN(std::optional<std::uint64_t> token_types, file.Integer("type_vocab_size", 1, 1 << 10));
  config->token_types = token_types.value_or(2);
  THIMBLE_ASSIGN_OR_RETURN(std::optional<double> epsilon, file.Number("layer_norm_eps"));
  config->layer_norm_epsilon = epsilon.value_or(1e-12);
  if (!(config->layer_norm_epsilon > 0 && config->layer_norm_epsilon < 1)) {
    return file.Corrupt("layer_norm_eps", "a number between 0 and 1");
  }
  if (config->hidden % 64 != 0 || config->intermediate % 64 != 0) {
    return Error(Code::kUnsupported, path, ": hidden_size ", config->hidden, " and intermediate_size ",
                 config->intermediate, ": expected multiples of 64");
  }
  const std::size_t width = config->hidden / config->heads;
  if (config->hidden % config->heads != 0 || width % 32 != 0 || width > kernels::kMaxHeadWidth) {
    return Error(Code::kUnsupported, path, ": num_attention_heads ", config->heads, " of hidden_size ", config->hidden,
                 ": expected heads of 32, 64, 96 or 128");
  }
  return Status();
}

Status ReadPooling(const std::string& path, Config* config) {
  THIMBLE_ASSIGN_OR_RETURN(JsonFile file, JsonFile::Open(path));
  constexpr std::pair<std::string_view, Pooling> kKnown[] = {{"pooling_mode_mean_tokens", Pooling::kMean},
                                                             {"pooling_mode_cls_token", Pooling::kCls},
                                                             {"pooling_mode_lasttoken", Pooling::kLast}};
  std::size_t chosen = 0;
  for (const auto& [key, value] : file.json().items()) {
    if (!key.starts_with("pooling_mode_")) continue;
    THIMBLE_ASSIGN_OR_RETURN(std::optional<bool> on, file.Boolean(key));
    if (!on.value_or(false)) continue;
    auto known = std::find_if(std::begin(kKnown), std::end(kKnown), [&](const auto& k) { return k.first == key; });
    if (known == std::end(kKnown)) return Error(Code::kUnsupported, path, ": \"", key, "\" is not supported");
    config->pooling = known->second;
    ++chosen;
  }
  if (chosen == 1) return Status();
  return Error(Code::kUnsupported, path,
               ": expected exactly one pooling mode of mean_tokens, cls_token and lasttoken, found ", chosen);
}

Status ReadModules(const std::string& folder, Config* config) {
  const std::string path = folder + "/modules.json";
  THIMBLE_ASSIGN_OR_RETURN(JsonFile file, JsonFile::OpenIfPresent(path));
  if (!file.present()) return Status();
  if (!file.json().is_array()) return Error(Code::kCorrupt, path, ": expected a JSON array of modules");
  config->normalize = false;
  for (const nlohmann::json& module : file.json()) {
    auto text = [&](const char* key) {
      auto found = module.is_object() ? module.find(key) : module.end();
      return module.is_object() && found != module.end() && found->is_string() ? found->get_ref<const std::string&>()
                                                                               : std::string();
    };
    const std::string type = text("type"), subfolder = text("path");
    const std::string kind = type.substr(type.rfind('.') + 1);
    if (kind == "Transformer" && subfolder.empty()) continue;
    if (kind == "Normalize") {
      config->normalize = true;
    } else if (kind == "Pooling") {
      if (subfolder.empty() || subfolder.find("..") != std::string::npos || subfolder[0] == '/') {
        return Error(Code::kCorrupt, path, ": the pooling's path \"", subfolder, "\" is not a subfolder");
      }
      THIMBLE_RETURN_IF_ERROR(ReadPooling(folder + "/" + subfolder + "/config.json", config));
    } else {
      return Error(Code::kUnsupported, path, ": expected the modules Transformer, Pooling and Normalize, found \"",
                   type, "\" in \"", subfolder, "\"");
    }
  }
  return Status();
}

Status ReadLimits(const std::string& folder, Config* config) {
  THIMBLE_ASSIGN_OR_RETURN(JsonFile bert, JsonFile::OpenIfPresent(folder + "/sentence_bert_config.json"));
  THIMBLE_ASSIGN_OR_RETURN(std::optional<std::uint64_t> limit, bert.Integer("max_seq_length", 1, 1 << 20));
  // What is known of the model comes before what its tokenizer would take.
  if (!limit && config->max_tokens != 0) limit = config->max_tokens;
  if (!limit) {
    THIMBLE_ASSIGN_OR_RETURN(JsonFile tokenizer, JsonFile::OpenIfPresent(folder + "/tokenizer_config.json"));
    // Hugging Face writes 1e30 here for "no limit".
    THIMBLE_ASSIGN_OR_RETURN(std::optional<double> length, tokenizer.Number("model_max_length"));
    if (length && *length >= 3 && *length < 1e6) limit = static_cast<std::uint64_t>(*length);
  }
  config->max_tokens = std::min<std::size_t>(limit.value_or(config->positions), config->positions);
  return Status();
}

// Prompts of which none has a text say nothing: newer versions of sentence-transformers write them for every model.
Status ReadPrompts(const std::string& folder, Config* config) {
  const std::string path = folder + "/config_sentence_transformers.json";
  THIMBLE_ASSIGN_OR_RETURN(JsonFile file, JsonFile::OpenIfPresent(path));
  THIMBLE_ASSIGN_OR_RETURN(std::optional<std::string> name, file.Text("default_prompt_name"));
  if (name) {
    return Error(Code::kUnsupported, path, ": \"default_prompt_name\" is \"", *name,
                 "\"; thimble puts a prompt before a text only when asked");
  }
  auto prompts = file.json().find("prompts");
  if (prompts == file.json().end() || prompts->is_null()) return Status();
  if (!prompts->is_object()) return file.Corrupt("prompts", "an object");
  if (prompts->size() > kMaxPrompts) return file.Corrupt("prompts", "at most 64 prompts");
  std::vector<Prompt> found;
  bool any = false;
  for (const auto& [key, text] : prompts->items()) {
    if (text.is_null()) continue;
    if (!text.is_string()) return file.Corrupt("prompts." + key, "a string");
    found.push_back({key, text.get<std::string>()});
    any |= !found.back().text.empty();
  }
  if (any) config->prompts = std::move(found);
  return Status();
}

}  // namespace

Result<Config> ReadConfig(const std::string& folder, const Defaults& defaults) {
  Config config;
  config.pooling = defaults.pooling.value_or(config.pooling);
  config.normalize = defaults.normalize.value_or(config.normalize);
  config.max_tokens = defaults.max_tokens;
  config.prompts = defaults.prompts;
  THIMBLE_RETURN_IF_ERROR(ReadTransformer(folder, &config));
  THIMBLE_RETURN_IF_ERROR(ReadModules(folder, &config));
  THIMBLE_RETURN_IF_ERROR(ReadPrompts(folder, &config));
  THIMBLE_RETURN_IF_ERROR(ReadLimits(folder, &config));
  return config;
}

}  // namespace thimble::convert
