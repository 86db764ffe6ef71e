// Writing models of random numbers.

#include "tests/support/test_model.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <vector>

#include "base/error.h"
#include "kernels/half.h"
#include "thimble/convert.h"

namespace thimble::test {
namespace {

using nlohmann::json;

std::vector<std::string> Vocabulary() {
  std::vector<std::string> pieces = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  for (char c = '!'; c <= '~'; ++c) {
    if (c < 'A' || c > 'Z') pieces.emplace_back(1, c);
  }
  for (char c = 'a'; c <= 'z'; ++c) pieces.push_back(std::string("##") + c);
  for (char c = '0'; c <= '9'; ++c) pieces.push_back(std::string("##") + c);
  for (const char* word :
       {"the", "a",   "of",  "is",  "and",   "to",   "in",   "text", "word", "vector", "small", "hello", "world",
        "cat", "dog", "sun", "##s", "##ing", "##ed", "##er", "play", "run",  "good",   "day",   "memory"}) {
    bool known = false;
    for (const std::string& piece : pieces) known |= piece == word;
    if (!known) pieces.emplace_back(word);
  }
  return pieces;
}

json Tokenizer(const std::vector<std::string>& pieces, std::size_t max_length) {
  json vocabulary = json::object();
  for (std::size_t i = 0; i < pieces.size(); ++i) vocabulary[pieces[i]] = i;
  json added = json::array();
  for (int id = 0; id < 5; ++id) {
    added.push_back({{"id", id},
                     {"content", pieces[id]},
                     {"special", true},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false}});
  }
  auto special = [](const char* name) { return json{{"SpecialToken", {{"id", name}, {"type_id", 0}}}}; };
  auto entry = [](const char* name, int id) { return json{{"id", name}, {"ids", {id}}, {"tokens", {name}}}; };
  return {{"version", "1.0"},
          {"truncation", max_length == 0 ? json() : json{{"direction", "Right"}, {"max_length", max_length}}},
          {"padding", nullptr},
          {"added_tokens", added},
          {"normalizer",
           {{"type", "BertNormalizer"},
            {"clean_text", true},
            {"handle_chinese_chars", true},
            {"strip_accents", nullptr},
            {"lowercase", true}}},
          {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
          {"post_processor",
           {{"type", "TemplateProcessing"},
            {"single", {special("[CLS]"), {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}, special("[SEP]")}},
            {"pair",
             {special("[CLS]"),
              {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
              special("[SEP]"),
              {{"Sequence", {{"id", "B"}, {"type_id", 1}}}},
              {{"SpecialToken", {{"id", "[SEP]"}, {"type_id", 1}}}}}},
            {"special_tokens", {{"[CLS]", entry("[CLS]", 2)}, {"[SEP]", entry("[SEP]", 3)}}}}},
          {"decoder", nullptr},
          {"model",
           {{"type", "WordPiece"},
            {"unk_token", "[UNK]"},
            {"continuing_subword_prefix", "##"},
            {"max_input_chars_per_word", 100},
            {"vocab", vocabulary}}}};
}

constexpr const char* kBertProjections[] = {"self.query", "self.key", "self.value", "output.dense"};
constexpr const char* kMpnetProjections[] = {"attn.q", "attn.k", "attn.v", "attn.o"};

// Collects tensors of random numbers, and writes them as one safetensors file.
class TensorFile {
 public:
  explicit TensorFile(const TestModelOptions& options) : options_(options), random_(options.seed) {}

  void Add(const std::string& name, std::vector<std::size_t> shape, float mean, float deviation) {
    std::size_t count = 1, begin = data_.size();
    for (std::size_t size : shape) count *= size;
    std::normal_distribution<float> normal(mean, deviation);
    for (std::size_t i = 0; i < count; ++i) Append(normal(random_));
    header_[options_.prefix + name] = {
        {"dtype", format::ElementName(options_.type)}, {"shape", shape}, {"data_offsets", {begin, data_.size()}}};
  }
  void AddLinear(const std::string& name, std::size_t outputs, std::size_t inputs) {
    // Keeps the size of activations, as trained weights do.
    Add(name + ".weight", {outputs, inputs}, 0.0f, 1.2f / std::sqrt(static_cast<float>(inputs)));
    Add(name + ".bias", {outputs}, 0.0f, 0.1f);
  }
  void AddNorm(const std::string& name) {
    Add(name + ".weight", {options_.hidden}, 1.0f, 0.1f);
    Add(name + ".bias", {options_.hidden}, 0.0f, 0.1f);
  }

  Status Write(const std::string& path) const {
    std::string header = header_.dump(), length(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i) & 255);
    return WriteFile(path, length + header + data_);
  }

 private:
  void Append(float value) {
    std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    std::size_t bytes = 2;
    if (options_.type == format::ElementType::kF32) bytes = 4;
    if (options_.type == format::ElementType::kF16) bits = kernels::FloatToHalf(value);
    if (options_.type == format::ElementType::kBF16) bits >>= 16;
    for (std::size_t i = 0; i < bytes; ++i) data_ += static_cast<char>(bits >> (8 * i) & 255);
  }

  const TestModelOptions& options_;
  std::mt19937 random_;
  json header_ = json::object();
  std::string data_;
};

}  // namespace

std::string DtypeTestName(format::Dtype dtype) {
  std::string name(format::DtypeName(dtype));
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

Status WriteTestModel(const std::string& folder, const TestModelOptions& o) {
  const std::vector<std::string> pieces = Vocabulary();
  const std::size_t vocabulary = pieces.size() + o.extra_vocabulary;
  json config = {{"architectures", {o.labels == 0 ? "BertModel" : "BertForSequenceClassification"}},
                 {"model_type", "bert"},
                 {"hidden_act", "gelu"},
                 {"hidden_size", o.hidden},
                 {"intermediate_size", o.intermediate},
                 {"num_hidden_layers", o.layers},
                 {"num_attention_heads", o.heads},
                 {"max_position_embeddings", o.positions},
                 {"type_vocab_size", 2},
                 {"vocab_size", vocabulary},
                 {"layer_norm_eps", 1e-12},
                 {"position_embedding_type", "absolute"}};
  if (o.mpnet) {
    config.erase("type_vocab_size");
    config.update({{"architectures", {"MPNetModel"}},
                   {"model_type", "mpnet"},
                   {"max_position_embeddings", o.positions + 2},
                   {"relative_attention_num_buckets", 32}});
  }
  // As it is, whatever the class of the family builds.
  if (o.mpnet || o.pad_id) config["tokenizer_class"] = "PreTrainedTokenizerFast";
  for (std::size_t i = 0; i < o.labels; ++i) config["id2label"][std::to_string(i)] = "LABEL_" + std::to_string(i);
  if (o.pad_id) {
    config["model_type"] = "roberta";
    config["architectures"] = {"RobertaModel"};
    config["pad_token_id"] = *o.pad_id;
  }
  json modules = json::array();
  modules.push_back({{"idx", 0}, {"path", ""}, {"type", "sentence_transformers.models.Transformer"}});
  modules.push_back({{"idx", 1}, {"path", "1_Pooling"}, {"type", "sentence_transformers.models.Pooling"}});
  modules.push_back({{"idx", 2}, {"path", "2_Normalize"}, {"type", "sentence_transformers.models.Normalize"}});
  const json pooling = {{"pooling_mode_cls_token", false}, {"pooling_mode_mean_tokens", true}};
  std::error_code error;
  THIMBLE_RETURN_IF_ERROR(WriteFile(folder + "/config.json", config.dump(1)));
  THIMBLE_RETURN_IF_ERROR(WriteFile(folder + "/tokenizer.json", Tokenizer(pieces, o.tokenizer_max_length).dump(1)));
  if (o.labels == 0) {
    std::filesystem::create_directory(folder + "/1_Pooling", error);
    THIMBLE_RETURN_IF_ERROR(WriteFile(folder + "/modules.json", modules.dump(1)));
    THIMBLE_RETURN_IF_ERROR(WriteFile(folder + "/1_Pooling/config.json", pooling.dump(1)));
    THIMBLE_RETURN_IF_ERROR(
        WriteFile(folder + "/sentence_bert_config.json", json{{"max_seq_length", o.max_seq_length}}.dump(1)));
  } else {
    THIMBLE_RETURN_IF_ERROR(
        WriteFile(folder + "/tokenizer_config.json", json{{"model_max_length", o.max_seq_length}}.dump(1)));
  }

  TensorFile tensors(o);
  tensors.Add("embeddings.word_embeddings.weight", {vocabulary, o.hidden}, 0.0f, 0.5f);
  tensors.Add("embeddings.position_embeddings.weight", {o.positions + (o.mpnet ? 2 : 0), o.hidden}, 0.0f, 0.2f);
  if (o.mpnet) {
    tensors.Add("encoder.relative_attention_bias.weight", {32, o.heads}, 0.0f, 1.5f);
  } else {
    tensors.Add("embeddings.token_type_embeddings.weight", {2, o.hidden}, 0.0f, 0.2f);
  }
  tensors.AddNorm("embeddings.LayerNorm");
  for (std::size_t i = 0; i < o.layers; ++i) {
    const std::string name = "encoder.layer." + std::to_string(i) + ".", attention = name + "attention.";
    for (const char* part : o.mpnet ? kMpnetProjections : kBertProjections) {
      tensors.AddLinear(attention + part, o.hidden, o.hidden);
    }
    tensors.AddNorm(attention + (o.mpnet ? "LayerNorm" : "output.LayerNorm"));
    tensors.AddLinear(name + "intermediate.dense", o.intermediate, o.hidden);
    tensors.AddLinear(name + "output.dense", o.hidden, o.intermediate);
    tensors.AddNorm(name + "output.LayerNorm");
  }
  tensors.AddLinear("pooler.dense", o.hidden, o.hidden);  // Not used by sentence embeddings.
  if (o.labels > 0) tensors.AddLinear("classifier", o.labels, o.hidden);
  return tensors.Write(folder + "/model.safetensors");
}

std::string WithoutSourceHash(std::string model) {
  const std::string key = "\"receipt.source_sha256\":\"";
  const std::size_t at = model.find(key);
  if (at != std::string::npos) model.replace(at + key.size(), 64, "");
  return model;
}

Result<std::string> ConvertTestModel(const std::string& folder, format::Dtype dtype, const TestModelOptions& options) {
  const std::string source = folder + "/test-model";
  std::error_code error;
  std::filesystem::create_directory(source, error);
  THIMBLE_RETURN_IF_ERROR(WriteTestModel(source, options));
  const std::string path = folder + "/test-model-" + std::string(format::DtypeName(dtype)) + ".safetensors";
  ConvertOptions convert_options;
  convert_options.dtype = DtypeName(dtype);
  convert_options.calibrate = false;
  THIMBLE_RETURN_IF_ERROR(ConvertModel(source, path, convert_options));
  return path;
}

}  // namespace thimble::test
