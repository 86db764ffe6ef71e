// Names of files and their order of precedence.

#include "convert/folder_files.h"

#include <algorithm>
#include <utility>

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

}  // namespace thimble::convert
