// Modules by the last word of their class, in the order in which they run.

#include <array>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "convert/config.h"
#include "convert/folder_files.h"

namespace thimble::convert {
namespace {

using kernels::Activation;

constexpr std::size_t kMaxModules = model::kMaxHeadModules + 2;
constexpr std::uint64_t kMaxWidth = 1 << 14;

// In the order in which the old form puts them side by side.
constexpr std::pair<std::string_view, Pooling> kOldPoolings[] = {
    {"pooling_mode_cls_token", Pooling::kCls},
    {"pooling_mode_max_tokens", Pooling::kMax},
    {"pooling_mode_mean_tokens", Pooling::kMean},
    {"pooling_mode_mean_sqrt_len_tokens", Pooling::kMeanSqrtLen},
    {"pooling_mode_weightedmean_tokens", Pooling::kWeightedMean},
    {"pooling_mode_lasttoken", Pooling::kLast}};

constexpr std::pair<std::string_view, std::optional<Activation>> kActivations[] = {
    {"torch.nn.modules.linear.Identity", std::nullopt},
    {"torch.nn.modules.activation.Tanh", Activation::kTanh},
    {"torch.nn.modules.activation.GELU", Activation::kGelu},
    {"torch.nn.modules.activation.ReLU", Activation::kRelu},
    {"torch.nn.modules.activation.SiLU", Activation::kSilu},
    {"torch.nn.Identity", std::nullopt},
    {"torch.nn.Tanh", Activation::kTanh},
    {"torch.nn.GELU", Activation::kGelu},
    {"torch.nn.ReLU", Activation::kRelu},
    {"torch.nn.SiLU", Activation::kSilu}};

// The fields of a module's config.json must be among these, because an unknown one may change vectors.
Status CheckKeys(const json::JsonFile& file, std::initializer_list<std::string_view> known) {
  if (!file.json().is_object()) return Error(Code::kCorrupt, file.path(), ": expected a JSON object");
  for (const auto& [key, value] : file.json().object()) {
    bool found = value.is_null();
    for (std::string_view name : known) found |= key == name;
    if (!found) return Error(Code::kUnsupported, file.path(), ": \"", key, "\" is not known to thimble");
  }
  return Status();
}

// A field that names what a module reads or writes: the vector of the text, or nothing of it is supported.
Status CheckFeature(const json::JsonFile& file, std::string_view key) {
  THIMBLE_ASSIGN_OR_RETURN(const std::optional<std::string> name, file.Text(key));
  if (!name || *name == "sentence_embedding") return Status();
  return Error(Code::kUnsupported, file.path(), ": \"", key, "\": expected \"sentence_embedding\", found \"", *name,
               "\"");
}

Status AddPooling(const json::JsonFile& file, std::string_view name, model::HeadSpec* head) {
  const Result<Pooling> pooling = name == "lasttoken" ? Pooling::kLast : ParsePooling(name);
  if (!pooling.ok() || name == "last") {
    return Error(Code::kUnsupported, file.path(), ": \"pooling_mode\": expected mean, cls, lasttoken, max, ",
                 "mean_sqrt_len_tokens or weightedmean, found \"", name, "\"");
  }
  if (head->pooling.size() == model::kMaxPoolings) {
    return file.Corrupt("pooling_mode", "at most " + std::to_string(model::kMaxPoolings) + " ways");
  }
  head->pooling.push_back(*pooling);
  return Status();
}

// The form since 5.4: a word, a list of words, or words joined by "+".
Status ReadPoolingMode(const json::JsonFile& file, model::HeadSpec* head) {
  const json::Value& mode = *file.Find("pooling_mode");
  if (mode.is_array() && !mode.empty()) {
    for (const json::Value& word : mode.array()) {
      if (!word.is_string()) return file.Corrupt("pooling_mode", "a word or a list of words");
      THIMBLE_RETURN_IF_ERROR(AddPooling(file, word.string(), head));
    }
    return Status();
  }
  if (!mode.is_string()) return file.Corrupt("pooling_mode", "a word or a list of words");
  std::string_view rest = mode.string();
  for (;;) {
    const std::size_t end = rest.find('+');
    THIMBLE_RETURN_IF_ERROR(AddPooling(file, rest.substr(0, end), head));
    if (end == std::string_view::npos) return Status();
    rest.remove_prefix(end + 1);
  }
}

Status ReadPooling(const json::JsonFile& file, model::HeadSpec* head) {
  THIMBLE_RETURN_IF_ERROR(CheckKeys(
      file, {"word_embedding_dimension", "embedding_dimension", "pooling_mode", "include_prompt",
             "pooling_mode_cls_token", "pooling_mode_max_tokens", "pooling_mode_mean_tokens",
             "pooling_mode_mean_sqrt_len_tokens", "pooling_mode_weightedmean_tokens", "pooling_mode_lasttoken"}));
  THIMBLE_ASSIGN_OR_RETURN(const std::optional<bool> include_prompt, file.Boolean("include_prompt"));
  head->include_prompt = include_prompt.value_or(true);
  if (file.Find("pooling_mode") != nullptr) return ReadPoolingMode(file, head);
  for (const auto& [key, pooling] : kOldPoolings) {
    THIMBLE_ASSIGN_OR_RETURN(const std::optional<bool> on, file.Boolean(key));
    if (on.value_or(false)) head->pooling.push_back(pooling);
  }
  if (head->pooling.empty()) head->pooling.push_back(Pooling::kMean);
  return Status();
}

Result<model::HeadModule> ReadDense(const json::JsonFile& file) {
  model::HeadModule module = {.kind = model::HeadModule::Kind::kDense};
  THIMBLE_RETURN_IF_ERROR(CheckFeature(file, "module_input_name"));
  THIMBLE_RETURN_IF_ERROR(CheckFeature(file, "module_output_name"));
  THIMBLE_ASSIGN_OR_RETURN(module.inputs, file.RequiredInteger("in_features", 1, model::kMaxPoolings * kMaxWidth));
  THIMBLE_ASSIGN_OR_RETURN(module.outputs, file.RequiredInteger("out_features", 1, kMaxWidth));
  THIMBLE_ASSIGN_OR_RETURN(const std::optional<bool> bias, file.Boolean("bias"));
  THIMBLE_ASSIGN_OR_RETURN(const std::optional<bool> residual, file.Boolean("use_residual"));
  THIMBLE_ASSIGN_OR_RETURN(const std::optional<std::string> activation, file.Text("activation_function"));
  module.bias = bias.value_or(true);
  module.residual = residual.value_or(false);
  module.activation = Activation::kTanh;
  if (!activation) return module;
  for (const auto& [name, known] : kActivations) {
    if (*activation != name) continue;
    module.activation = known;
    return module;
  }
  return Error(Code::kUnsupported, file.path(),
               ": \"activation_function\": expected Identity, Tanh, GELU, ReLU or SiLU ", "of torch.nn, found \"",
               *activation, "\"");
}

// A module of the head, nothing for one that changes no vector.
Result<std::optional<model::HeadModule>> ReadModule(std::string_view kind, const json::JsonFile& file) {
  using Found = std::optional<model::HeadModule>;
  if (kind == "Dropout") return Found();
  model::HeadModule module;
  if (kind == "Normalize") {
    THIMBLE_RETURN_IF_ERROR(CheckFeature(file, "module_input_name"));
    THIMBLE_RETURN_IF_ERROR(CheckFeature(file, "module_output_name"));
  } else if (kind == "LayerNorm") {
    module.kind = model::HeadModule::Kind::kLayerNorm;
    THIMBLE_RETURN_IF_ERROR(CheckKeys(file, {"dimension"}));
    THIMBLE_ASSIGN_OR_RETURN(module.inputs, file.RequiredInteger("dimension", 1, model::kMaxPoolings * kMaxWidth));
  } else {
    THIMBLE_ASSIGN_OR_RETURN(module, ReadDense(file));
  }
  return Found(module);
}

}  // namespace

Status ReadModules(const std::string& source, const json::JsonFile& file, Config* config) {
  if (!file.json().is_array() || file.json().array().size() > kMaxModules) {
    return Error(Code::kCorrupt, file.path(), ": expected a JSON array of at most ", kMaxModules, " modules");
  }
  model::HeadSpec& head = config->head.emplace();
  bool transformer = false, pooling = false;
  for (const json::Value& entry : file.json().array()) {
    auto text = [&](const char* key) {
      const json::Value* found = entry.Find(key);
      return found != nullptr && found->is_string() ? found->string() : std::string();
    };
    const std::string type = text("type"), folder = text("path");
    const std::string kind = type.substr(type.rfind('.') + 1);
    auto unsupported = [&](std::string_view why) {
      return Error(Code::kUnsupported, file.path(), ": module \"", type, "\" in \"", folder, "\": ", why);
    };
    if (!folder.empty() && !IsInside(folder)) {
      return Error(Code::kCorrupt, file.path(), ": \"", folder, "\" is not a path inside the folder");
    }
    if (!type.starts_with("sentence_transformers.")) return unsupported("not one of sentence-transformers");
    if (kind == "Transformer" && !transformer) {
      transformer = true;
      config->transformer = folder;
      continue;
    }
    const bool behind = kind == "Normalize" || kind == "Dense" || kind == "LayerNorm" || kind == "Dropout";
    if (!transformer || (kind != "Pooling" && !behind)) {
      return unsupported(kKnownModules);
    }
    if (pooling != behind) {
      return unsupported(behind ? "expected Pooling before it" : "expected one Pooling");
    }
    THIMBLE_ASSIGN_OR_RETURN(const json::JsonFile settings,
                             json::JsonFile::OpenIfPresent(source + "/" + JoinName(folder, "config.json")));
    if (!behind) {
      pooling = true;
      if (!settings.present()) return Error(Code::kNotFound, settings.path(), ": not found, but modules.json names it");
      THIMBLE_RETURN_IF_ERROR(ReadPooling(settings, &head));
      continue;
    }
    THIMBLE_ASSIGN_OR_RETURN(const std::optional<model::HeadModule> module, ReadModule(kind, settings));
    if (!module) continue;
    head.modules.push_back(*module);
    config->head_folders.push_back(folder);
  }
  if (pooling) return Status();
  return Error(Code::kUnsupported, file.path(), ": expected the modules Transformer and Pooling, found no ",
               transformer ? "Pooling" : "Transformer");
}

Status SizeModules(const std::string& source, Config* config) {
  model::HeadSpec& head = *config->head;
  std::size_t width = head.pooling.size() * config->encoder.hidden;
  for (std::size_t i = 0; i < head.modules.size(); ++i) {
    model::HeadModule& module = head.modules[i];
    if (module.inputs != 0 && module.inputs != width) {
      return Error(Code::kCorrupt, source, "/", JoinName(config->head_folders[i], "config.json"), ": takes ",
                   module.inputs, " inputs, and what comes before it has ", width);
    }
    module.inputs = width;
    if (module.kind != model::HeadModule::Kind::kDense) module.outputs = width;
    width = module.outputs;
  }
  return Status();
}

}  // namespace thimble::convert
