// Names of files and their order of precedence.

#include "convert/folder_files.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/path.h"
#include "base/regular_file.h"
#include "convert/tokenizer_class.h"
#include "json/json_file.h"

namespace thimble::convert {
namespace {

constexpr std::string_view kWeightNames[] = {
    "model.safetensors",         "model.safetensors.index.json",
    "pytorch_model.bin",         "pytorch_model.bin.index.json",
    "onnx/model.onnx",           "model.onnx",
    "onnx/model_fp16.onnx",      "model_fp16.onnx",
    "onnx/model_quantized.onnx", "model_quantized.onnx",
    "onnx/model_q4.onnx",        "model_q4.onnx",
};
constexpr std::string_view kHeadWeightNames[] = {"model.safetensors", "pytorch_model.bin"};

// Beside the config.json of a module. sentence-transformers 5 and older has one for each architecture.
constexpr std::string_view kModuleNames[] = {
    "config.json",
    "sentence_bert_config.json",
    "sentence_roberta_config.json",
    "sentence_distilbert_config.json",
    "sentence_camembert_config.json",
    "sentence_albert_config.json",
    "sentence_xlm-roberta_config.json",
    "sentence_xlnet_config.json",
};
constexpr std::string_view kTokenizerNames[] = {
    "tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
};
constexpr std::size_t kMaxModules = 32;
constexpr std::size_t kMaxShards = 1000;
constexpr std::size_t kMaxFiles = 10000;

namespace fs = std::filesystem;

Status AddShards(const FolderView& view, const std::string& index, std::vector<std::string>& files) {
  THIMBLE_ASSIGN_OR_RETURN(std::string text, view.read(index));
  THIMBLE_ASSIGN_OR_RETURN(json::JsonFile json, json::JsonFile::Parse(text, index));
  const json::Value* map = json.Find("weight_map");
  if (map == nullptr || !map->is_object()) return json.Corrupt("weight_map", "an object of file names");
  const std::string folder = index.substr(0, index.rfind('/') + 1);  // With its slash, or empty.
  std::set<std::string> shards;
  for (const auto& [tensor, name] : map->object()) {
    if (!name.is_string() || !IsInside(name.string())) {
      return json.Corrupt("weight_map", "names of files inside the folder");
    }
    if (!view.has(folder + name.string())) {
      return Error(Code::kCorrupt, index, ": \"weight_map\" names ", name.string(), ", which is not there");
    }
    shards.insert(folder + name.string());
    if (shards.size() > kMaxShards) return Error(Code::kCorrupt, index, ": more than ", kMaxShards, " shards");
  }
  files.insert(files.end(), shards.begin(), shards.end());
  return Status();
}

}  // namespace

std::string JoinName(std::string_view folder, std::string_view name) {
  while (folder.ends_with('/')) folder.remove_suffix(1);
  std::string joined(folder);
  if (!joined.empty() && !name.empty()) joined += '/';
  return joined.append(name);
}

bool IsInside(std::string_view name) {
  constexpr std::size_t kMaxBytes = 255;
  const auto foreign = [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F || c == '\\' || c == ':';
  };
  if (name.size() > kMaxBytes || std::any_of(name.begin(), name.end(), foreign)) return false;
  for (std::size_t depth = 1;; ++depth) {
    const std::size_t slash = name.find('/');
    const std::string_view part = name.substr(0, slash);
    if (depth > kMaxNameDepth || part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

std::vector<std::string> WeightCandidates(std::string_view module_folder) {
  std::vector<std::string> names;
  for (std::string_view name : kWeightNames) names.push_back(JoinName(module_folder, name));
  return names;
}

std::string ChooseWeights(const HasFile& has, std::string_view module_folder) {
  for (std::string& name : WeightCandidates(module_folder)) {
    if (has(name)) return std::move(name);
  }
  return "";
}

bool IsQuantized(std::string_view weights) {
  return weights.ends_with("model_quantized.onnx") || weights.ends_with("model_q4.onnx");
}

std::string ChooseHeadWeights(const HasFile& has, std::string_view module_folder) {
  for (std::string_view name : kHeadWeightNames) {
    if (std::string joined = JoinName(module_folder, name); has(joined)) return joined;
  }
  return "";
}

bool IsWeightIndex(std::string_view name) { return name.ends_with(".index.json"); }

bool IsExternalDataOf(std::string_view onnx, std::string_view name) {
  return name.size() > onnx.size() && name.starts_with(onnx) && name.find('/', onnx.size()) == std::string_view::npos;
}

Result<FolderView> ViewOf(const std::string& folder) {
  auto names = std::make_shared<std::set<std::string>>();
  const fs::path root = base::ToPath(folder);
  std::error_code error;
  fs::recursive_directory_iterator entry(root, fs::directory_options::follow_directory_symlink, error), end;
  for (; !error && entry != end && names->size() < kMaxFiles; entry.increment(error)) {
    std::error_code ignored;
    const bool hidden = base::FromPath(entry->path().filename()).starts_with('.');
    if (hidden || entry.depth() + 1 >= static_cast<int>(kMaxNameDepth)) entry.disable_recursion_pending();
    if (!entry->is_regular_file(ignored)) continue;
    std::string name;
    for (const fs::path& part : entry->path().lexically_relative(root)) name = JoinName(name, base::FromPath(part));
    names->insert(std::move(name));
  }
  if (error) return Error(Code::kIo, "cannot read ", folder, ": ", error.message());
  FolderView view;
  view.names.assign(names->begin(), names->end());
  view.has = [names](const std::string& name) { return names->contains(name); };
  view.read = [folder](const std::string& name) { return json::ReadFile(folder + "/" + name, json::kMaxConfigBytes); };
  return view;
}

bool IsTransformer(std::string_view type) {
  const std::size_t dot = type.rfind('.');
  return type.substr(dot == std::string_view::npos ? 0 : dot + 1) == "Transformer";
}

Result<ModuleFolders> ReadModuleFolders(const FolderView& view) {
  constexpr const char* kModules = "modules.json";
  ModuleFolders modules;
  if (!view.has(kModules)) return modules;
  THIMBLE_ASSIGN_OR_RETURN(std::string text, view.read(kModules));
  THIMBLE_ASSIGN_OR_RETURN(json::JsonFile json, json::JsonFile::Parse(text, kModules));
  if (!json.json().is_array() || json.json().array().size() > kMaxModules) {
    return Error(Code::kCorrupt, kModules, ": expected an array of at most ", kMaxModules, " modules");
  }
  bool found = false;
  for (const json::Value& module : json.json().array()) {
    const json::Value *path_value = module.Find("path"), *type_value = module.Find("type");
    const auto is_text = [](const json::Value* value) { return value != nullptr && value->is_string(); };
    if (!is_text(path_value) || !is_text(type_value))
      return json.Corrupt("path", "a text beside \"type\" in every module");
    const std::string &path = path_value->string(), &type = type_value->string();
    const std::string folder = JoinName(path, "");
    if (!folder.empty() && !IsInside(folder)) {
      return Error(Code::kCorrupt, kModules, ": \"path\": expected a folder inside this one, found \"", path, "\"");
    }
    if (!found && IsTransformer(type)) {
      found = true;
      modules.transformer = folder;
    } else if (!folder.empty()) {
      modules.others.push_back(folder);
    }
  }
  if (!found && !json.json().empty()) {
    const json::Value& first = json.json().array().front();
    return Error(Code::kUnsupported, kModules, ": module \"", first.Find("type")->string(), "\" in \"",
                 first.Find("path")->string(), "\": ", kKnownModules);
  }
  return modules;
}

Result<std::vector<std::string>> ConfigurationFiles(const FolderView& view, const ModuleFolders& modules) {
  std::vector<std::string> files;
  const auto add = [&](std::string_view folder, std::string_view name) {
    std::string joined = JoinName(folder, name);
    if (std::find(files.begin(), files.end(), joined) == files.end() && view.has(joined)) {
      files.push_back(std::move(joined));
    }
  };
  add("", "config_sentence_transformers.json");
  add("", "modules.json");
  std::vector<std::string_view> folders = {""};
  if (!modules.transformer.empty()) folders.push_back(modules.transformer);
  for (std::string_view folder : folders) {
    for (std::string_view name : kModuleNames) add(folder, name);
    for (std::string_view name : kTokenizerNames) add(folder, name);
  }
  for (const std::string& folder : modules.others) {
    for (std::string_view name : kModuleNames) add(folder, name);
  }
  const std::string config = JoinName(modules.transformer, "config.json");
  if (!view.has(config)) return Error(Code::kNotFound, "contains no ", config);
  for (std::string_view folder : folders) {
    if (view.has(JoinName(folder, "tokenizer.json"))) return files;
  }
  bool found = false;
  for (std::string_view folder : folders) {
    for (const TokenizerClass* known : kTokenizerClasses) {
      for (std::string_view name : known->files) add(folder, name);
      found |= std::all_of(known->files.begin(), known->files.end(),
                           [&](std::string_view name) { return view.has(JoinName(folder, name)); });
    }
  }
  if (found) return files;
  return Error(Code::kNotFound, "contains neither tokenizer.json nor vocab.txt, vocab.json with merges.txt, or ",
               "sentencepiece.bpe.model");
}

Result<std::vector<std::string>> WeightFiles(const FolderView& view, const ModuleFolders& modules) {
  std::vector<std::string> files;
  for (const std::string& folder : modules.others) {
    if (std::string weights = ChooseHeadWeights(view.has, folder); !weights.empty()) files.push_back(weights);
  }
  const std::string weights = ChooseWeights(view.has, modules.transformer);
  if (weights.empty()) {
    return Error(Code::kNotFound, "no weights: looked for ", JoinName(modules.transformer, "model.safetensors"),
                 ", pytorch_model.bin, their shards, onnx/model.onnx and other exports");
  }
  files.push_back(weights);
  if (IsWeightIndex(weights)) THIMBLE_RETURN_IF_ERROR(AddShards(view, weights, files));
  if (weights.ends_with(".onnx")) {
    for (const std::string& name : view.names) {
      if (IsExternalDataOf(weights, name) && IsInside(name)) files.push_back(name);
    }
    if (files.size() > kMaxShards) return Error(Code::kCorrupt, weights, ": more than ", kMaxShards, " files of data");
  }
  return files;
}

Result<std::vector<std::string>> FilesLookedFor(FolderView view) {
  std::set<std::string> asked;
  const HasFile has = std::move(view.has);
  view.has = [&](const std::string& name) {
    asked.insert(name);
    return has(name);
  };
  THIMBLE_ASSIGN_OR_RETURN(const ModuleFolders modules, ReadModuleFolders(view));
  THIMBLE_RETURN_IF_ERROR(ConfigurationFiles(view, modules).status());
  THIMBLE_ASSIGN_OR_RETURN(const std::vector<std::string> weights, WeightFiles(view, modules));
  asked.insert(weights.begin(), weights.end());
  return std::vector<std::string>(asked.begin(), asked.end());
}

Status CheckNotRead(const std::string& source, const std::string& output) {
  constexpr std::size_t kMaxIndexBytes = 16 << 20;  // As where it is read for its weights.
  const auto has = [&](const std::string& name) {
    std::error_code error;
    return std::filesystem::exists(base::ToPath(source + "/" + name), error);
  };
  const auto read = [&](const std::string& name) { return json::ReadFile(source + "/" + name, kMaxIndexBytes); };
  const Result<std::vector<std::string>> names = FilesLookedFor({.names = {}, .has = has, .read = read});
  if (!names.ok()) return Status();  // Then there is no conversion.
  const std::optional<base::FileIdentity> identity = base::IdentityOf(output);
  const auto resolved = [](const std::string& path) {
    std::error_code error;
    return std::filesystem::weakly_canonical(base::ToPath(path), error);
  };
  const std::filesystem::path target = resolved(output);
  for (const std::string& name : *names) {
    const std::string path = source + "/" + name;
    THIMBLE_RETURN_IF_ERROR(base::CheckOutput(output, identity, std::array{base::InputFileAt(path)}));
    if (!identity && resolved(path) == target) {
      return Error(Code::kInvalidArgument, output, ": a conversion of ", source, " would read this file instead of ",
                   "what it reads now; choose another output");
    }
  }
  return Status();
}

}  // namespace thimble::convert
