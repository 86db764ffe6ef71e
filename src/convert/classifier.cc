// Cross-encoders: what a folder says of scores of pairs, in the forms of transformers and sentence-transformers.

#include "convert/classifier.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace thimble::convert {
namespace {

// Classes of torch and what they are here.
constexpr std::pair<std::string_view, std::string_view> kScoreFunctions[] = {
    {"torch.nn.modules.activation.Sigmoid", "sigmoid"},
    {"torch.nn.Sigmoid", "sigmoid"},
    {"torch.nn.modules.linear.Identity", "identity"},
    {"torch.nn.Identity", "identity"}};

// The names that transformers gives to scores that have none, and how many there are where nothing says it.
constexpr std::string_view kUnnamedLabel = "LABEL_";
constexpr std::uint64_t kUnstatedLabels = 2;

Status ReadActivation(const json::JsonFile& file, const std::string& key, const json::Value& value,
                      std::string* activation) {
  for (const auto& [name, known] : kScoreFunctions) {
    if (!value.Is(name)) continue;
    *activation = known;
    return Status();
  }
  return Error(Code::kUnsupported, file.path(), ": \"", key, "\": expected Sigmoid or Identity of torch.nn, found ",
               value.Text());
}

}  // namespace

Result<std::string> ClassifierClass(const json::JsonFile& file) {
  const json::Value* classes = file.Find("architectures");
  if (classes == nullptr || !classes->is_array() || classes->empty()) return std::string();
  const json::Value& first = classes->array()[0];
  if (!first.is_string() || !first.string().ends_with(kClassifierEnd)) return std::string();
  return first.string();
}

Status ReadLabels(const json::JsonFile& file, std::vector<std::string>* labels) {
  const json::Value* names = file.Find("id2label");
  if (names != nullptr && !names->is_object()) return file.Corrupt("id2label", "an object");
  THIMBLE_ASSIGN_OR_RETURN(const std::optional<std::uint64_t> stated, file.Integer("num_labels", 1, model::kMaxLabels));
  const std::size_t count = names != nullptr ? names->object().size() : stated.value_or(kUnstatedLabels);
  if (count < 1 || count > model::kMaxLabels) {
    return file.Corrupt("id2label", "1 to " + std::to_string(model::kMaxLabels) + " labels");
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::string key = std::to_string(i);
    const json::Value* name = names == nullptr ? nullptr : names->Find(key);
    if (names != nullptr && (name == nullptr || !name->is_string())) return file.Corrupt("id2label." + key, "a string");
    labels->push_back(name == nullptr ? std::string(kUnnamedLabel) + key : name->string());
  }
  return Status();
}

Status ReadScoreActivation(const json::JsonFile& sentence, const json::JsonFile& transformer,
                           Config::Classifier* classifier) {
  classifier->activation = classifier->labels.size() == 1 ? "sigmoid" : "identity";
  const json::Value* nested = transformer.Find("sentence_transformers");
  const json::Value* own = nested == nullptr ? nullptr : nested->Find("activation_fn");
  if (const json::Value* stated = sentence.Find("activation_fn"); stated != nullptr) {
    return ReadActivation(sentence, "activation_fn", *stated, &classifier->activation);
  }
  if (own != nullptr) {
    if (own->is_null()) return Status();
    return ReadActivation(transformer, "sentence_transformers.activation_fn", *own, &classifier->activation);
  }
  constexpr const char* kOldKey = "sbert_ce_default_activation_function";
  const json::Value* old = transformer.Find(kOldKey);
  return old == nullptr ? Status() : ReadActivation(transformer, kOldKey, *old, &classifier->activation);
}

void SetClassifierHead(Config* config) {
  const Family::Classifier& names = config->family->classifier;
  const std::size_t hidden = config->encoder.hidden, labels = config->classifier->labels.size();
  model::HeadSpec& head = config->head.emplace();
  head.pooling = {Pooling::kCls};
  head.modules = {{.kind = model::HeadModule::Kind::kDense,
                   .inputs = hidden,
                   .outputs = hidden,
                   .activation = names.activation,
                   .bias = true},
                  {.kind = model::HeadModule::Kind::kDense, .inputs = hidden, .outputs = labels, .bias = true}};
  config->head_tensors = {std::string(names.dense), std::string(names.scores)};
  config->encoder.pairs = true;
}

}  // namespace thimble::convert
