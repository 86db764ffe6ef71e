// What a folder to convert holds: weights of every format, and configuration.

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iterator>

#include "convert/folder_files.h"
#include "convert/job.h"
#include "convert/weight_file.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/files.h"

namespace thimble::fuzz {
namespace {

// Reads the ends of every tensor.
void ReadWeights(convert::WeightFile& file) {
  for (std::size_t i = 0; i < file.tensors().size(); ++i) {
    std::uint64_t count = 1;
    for (std::uint64_t size : file.tensors()[i].shape) count *= size;
    if (count == 0) continue;
    float values[64];
    const std::uint64_t part = std::min<std::uint64_t>(count, 64);
    (void)file.Read(i, 0, std::span(values, part)).ok();
    (void)file.Read(i, count - part, std::span(values, part)).ok();
  }
}

}  // namespace

void RunSafetensors(std::string_view input) {
  const MemoryFile file(input);
  if (const auto weights = convert::OpenSafetensorsFile(file.path()); weights.ok()) ReadWeights(**weights);
}

std::vector<std::string> SafetensorsSeeds() {
  // The header of real weights, with as many bytes as it states but all of them 0.
  const std::string header =
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[4,4],"data_offsets":[0,64]},)"
      R"("b":{"dtype":"F16","shape":[8],"data_offsets":[64,80]},)"
      R"("c":{"dtype":"BF16","shape":[2,4],"data_offsets":[80,96]},)"
      R"("d":{"dtype":"I64","shape":[1],"data_offsets":[96,104]}})";
  std::string length(8, '\0');
  length[0] = static_cast<char>(header.size() & 255);
  length[1] = static_cast<char>(header.size() >> 8);
  return {length + header + std::string(104, '\0')};
}

void RunTorch(std::string_view input) {
  const MemoryFile file(input);
  if (const auto weights = convert::OpenTorchFile(file.path()); weights.ok()) ReadWeights(**weights);
}

std::vector<std::string> TorchSeeds() {
  std::vector<std::string> seeds;
  for (const auto& entry : std::filesystem::directory_iterator(THIMBLE_FIXTURES "/torch")) {
    seeds.push_back(test::ReadFile(entry.path()));
  }
  return seeds;
}

void RunOnnx(std::string_view input) {
  static MemoryFolder folder;
  static const bool external = [] {
    folder.Write("model.onnx.data", std::string(16 << 10, '\1'));
    return true;
  }();
  (void)external;
  folder.Write("model.onnx", input);
  for (const bool scores : {false, true}) {
    const auto model = convert::OpenOnnx(folder.path() + "/model.onnx", *convert::FindFamily("bert"), {}, scores);
    if (model.ok()) ReadWeights(*model->weights);
  }
}

void RunConfig(std::string_view input) {
  MemoryFolder folder;
  bool weights = false;
  for (const auto& [name, bytes] : SplitFiles(input)) {
    if (!convert::IsInside(name) || name.size() > 100) continue;
    folder.Write(name, bytes);
    weights = weights || name == "model.safetensors";
  }
  if (!weights) {
    std::error_code ignored;
    std::filesystem::create_symlink(SourceFolder() + "/model.safetensors", folder.path() + "/model.safetensors",
                                    ignored);
  }
  if (auto view = convert::ViewOf(folder.path()); view.ok()) {
    if (const auto modules = convert::ReadModuleFolders(*view); modules.ok()) {
      (void)convert::ConfigurationFiles(*view, *modules).ok();
      const auto files = convert::WeightFiles(*view, *modules);
      if (files.ok()) {
        for (const std::string& name : *files) Check(convert::IsInside(name), "weights are inside the folder");
      }
    }
  }
  const auto job = convert::ReadJob(folder.path(), {});
  if (!job.ok()) {
    Check(!job.status().message().empty(), "an error has a message");
    return;
  }
  Check(job->max_tokens <= job->config.encoder.positions, "no more tokens than positions");
  Check(std::isfinite(job->config.encoder.norm_epsilon), "the epsilon is finite");
}

std::vector<std::string> ConfigSeeds() {
  std::vector<std::pair<std::string, std::string>> files;
  for (const char* name :
       {"config.json", "modules.json", "1_Pooling/config.json", "sentence_bert_config.json", "tokenizer.json"}) {
    files.emplace_back(name, test::ReadFile(SourceFolder() + "/" + name));
  }
  std::vector<std::string> seeds = {JoinFiles(files)};
  files[1].second = R"([{"idx":0,"name":"0","path":"","type":"sentence_transformers.models.Transformer"},
{"idx":1,"name":"1","path":"1_Pooling","type":"sentence_transformers.models.Pooling"},
{"idx":2,"name":"2","path":"2_Dense","type":"sentence_transformers.models.Dense"},
{"idx":3,"name":"3","path":"3_Normalize","type":"sentence_transformers.models.Normalize"}])";
  files.emplace_back("2_Dense/config.json", R"({"in_features":64,"out_features":16,"bias":true,)"
                                            R"("activation_function":"torch.nn.modules.activation.Tanh"})");
  files.emplace_back("config_sentence_transformers.json",
                     R"({"prompts":{"query":"query: ","passage":"passage: "},"default_prompt_name":"query"})");
  files.emplace_back(
      "tokenizer_config.json",
      R"({"do_lower_case":true,"model_max_length":512,"tokenizer_class":"BertTokenizer","cls_token":"[CLS]"})");
  files.emplace_back("special_tokens_map.json",
                     R"({"cls_token":"[CLS]","sep_token":{"content":"[SEP]","lstrip":false}})");
  files.emplace_back("added_tokens.json", R"({"[NEW]":190})");
  seeds.push_back(JoinFiles(files));
  // Tokens from vocab.txt, and weights in shards that are not there.
  std::erase_if(files, [](const auto& file) { return file.first == "tokenizer.json"; });
  files.emplace_back("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\ncat\n##s\n");
  files.emplace_back("model.safetensors.index.json",
                     R"({"metadata":{"total_size":1},"weight_map":{"a":"model-00001-of-00002.safetensors"}})");
  seeds.push_back(JoinFiles(files));
  return seeds;
}

}  // namespace thimble::fuzz
