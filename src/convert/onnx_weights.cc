// From an ONNX file to named weights.

#include <set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "convert/onnx_layers.h"
#include "convert/weight_file.h"

namespace thimble::convert {
namespace {

class OnnxWeightFile : public WeightFile {
 public:
  OnnxWeightFile(std::unique_ptr<OnnxData> data, std::vector<NamedOnnxWeight> weights)
      : WeightFile(data->file().path()), data_(std::move(data)) {
    for (NamedOnnxWeight& one : weights) {
      tensors_.push_back({std::move(one.name), one.weight.shape});
      weights_.push_back(std::move(one.weight));
    }
  }

  Status Read(std::size_t index, std::uint64_t first, std::span<float> out) override {
    data_->Read(weights_[index], first, out);
    return Status();
  }

 private:
  const std::unique_ptr<OnnxData> data_;
  std::vector<OnnxWeight> weights_;
};

// The last hidden state: an output of that name, else an output that is one. A graph with `head`, the output behind the
// encoder, may pool before that output, so that the encoder's last norm is looked for instead.
Result<OnnxEncoder> FindEncoder(OnnxLayers* layers, const OnnxFamily& family, OnnxValue head, OnnxValue* tokens) {
  const OnnxGraph& graph = layers->graph();
  for (const char* name : {"last_hidden_state", "token_embeddings"}) {
    *tokens = graph.Output(name);
    if (*tokens != kNoValue && (head == kNoValue || layers->Norm(*tokens) != nullptr)) {
      return FindOnnxEncoder(layers, *tokens, family);
    }
  }
  constexpr int kMostTries = 8;
  int tries = 0;
  Status first = Error(Code::kUnsupported, graph.path(), ": expected an output last_hidden_state");
  auto attempt = [&](OnnxValue value) -> std::optional<OnnxEncoder> {
    if (value == kNoValue || tries == kMostTries || layers->Norm(value) == nullptr) return std::nullopt;
    *tokens = value;
    auto encoder = FindOnnxEncoder(layers, value, family);
    if (encoder.ok()) return *std::move(encoder);
    if (tries++ == 0) first = encoder.status();
    return std::nullopt;
  };
  if (head == kNoValue) {
    for (std::string_view name : graph.data().file().outputs()) {
      if (auto encoder = attempt(graph.Find(name))) return *std::move(encoder);
    }
    return first;
  }
  for (int i = graph.ProducerIndex(head); i >= 0; --i) {
    const GraphNode& node = graph.nodes()[static_cast<std::size_t>(i)];
    const OnnxValue value = node.outputs.empty() ? kNoValue : node.outputs[0];
    if (value == kNoValue || graph.Core(value) != value) continue;
    if (auto encoder = attempt(value)) return *std::move(encoder);
  }
  return first;
}

// The output with the scores of a cross-encoder.
Result<OnnxValue> FindLogits(const OnnxGraph& graph) {
  const OnnxValue logits = graph.Output("logits");
  if (logits != kNoValue) return logits;
  std::string found;
  for (std::string_view name : graph.data().file().outputs()) found += (found.empty() ? "" : ", ") + std::string(name);
  return Error(Code::kUnsupported, graph.path(),
               ": expected an output logits, as config.json names a model that scores ", "pairs, found ", found,
               "; export the model for text classification");
}

// Whether the head is that of the family's cross-encoders, whose names its weights then get.
Status NameScores(const OnnxGraph& graph, OnnxValue logits, const Family& family, std::uint64_t hidden,
                  OnnxHead* head) {
  const auto is_dense = [](const model::HeadModule& module, std::optional<kernels::Activation> activation) {
    return module.kind == model::HeadModule::Kind::kDense && module.activation == activation && module.bias &&
           !module.residual;
  };
  const std::vector<model::HeadModule>& modules = head->spec.modules;
  if (head->spec.pooling != std::vector<Pooling>{Pooling::kCls} || modules.size() != 2 ||
      !is_dense(modules[0], family.classifier.activation) || modules[0].outputs != hidden ||
      !is_dense(modules[1], std::nullopt)) {
    return graph.Unsupported(logits, "expected scores of the first token's vector by a dense layer of ",
                             std::to_string(hidden), " with ", model::ActivationName(family.classifier.activation),
                             " and another one without, both with a bias, found pooling ",
                             PoolingNames(head->spec.pooling), " and ", std::to_string(modules.size()), " modules");
  }
  for (NamedOnnxWeight& one : head->weights) {
    const bool dense = one.name.starts_with("head.0.");
    const std::string_view end = std::string_view(one.name).substr(one.name.rfind('.'));
    one.name = std::string(dense ? family.classifier.dense : family.classifier.scores) + std::string(end);
  }
  return Status();
}

// Of the weights that are quantised, what they are stored as.
std::string Note(const OnnxFile& file, const std::vector<NamedOnnxWeight>& weights) {
  std::set<std::string> types;
  for (const NamedOnnxWeight& one : weights) {
    if (!one.weight.quantization) continue;
    const std::uint64_t bits = one.weight.quantization->bits;
    types.insert(bits != 0 ? std::to_string(bits) + "-bit" : OnnxTypeName(file.tensors()[one.weight.tensor].type));
  }
  if (types.empty()) return "";
  std::string text;
  for (const std::string& type : types) text += (text.empty() ? "" : " and ") + type;
  return file.path() + ": weights are " + text +
         "; they were dequantised once, and the vectors are those of the dequantised weights";
}

}  // namespace

Result<OnnxModel> OpenOnnx(const std::string& path, const Family& family, std::optional<std::int32_t> pad_id,
                           bool scores) {
  THIMBLE_ASSIGN_OR_RETURN(OnnxFile file, OnnxFile::Open(path));
  auto data = std::make_unique<OnnxData>(std::move(file));
  THIMBLE_ASSIGN_OR_RETURN(const OnnxGraph graph, OnnxGraph::Index(data.get()));
  OnnxLayers layers(graph);
  OnnxValue tokens = kNoValue;
  OnnxValue output = graph.Output("sentence_embedding");
  if (scores) {
    THIMBLE_ASSIGN_OR_RETURN(output, FindLogits(graph));
  }
  // Of a cross-encoder whose encoder alone is wanted, too.
  const OnnxValue behind = output != kNoValue ? output : graph.Output("logits");
  THIMBLE_ASSIGN_OR_RETURN(OnnxEncoder encoder, FindEncoder(&layers, {family, pad_id}, behind, &tokens));
  OnnxModel model;
  std::vector<NamedOnnxWeight> weights = std::move(encoder.weights);
  if (output != kNoValue) {
    THIMBLE_ASSIGN_OR_RETURN(OnnxHead head, FindHead(&layers, tokens, encoder.hidden, output));
    if (scores) THIMBLE_RETURN_IF_ERROR(NameScores(graph, output, family, encoder.hidden, &head));
    model.head = std::move(head.spec);
    for (NamedOnnxWeight& one : head.weights) weights.push_back(std::move(one));
  }
  for (const NamedOnnxWeight& one : weights) {
    THIMBLE_RETURN_IF_ERROR(data->Load(one.weight));
    const OnnxTensor& tensor = data->file().tensors()[one.weight.tensor];
    if (!one.weight.quantization && !IsFloat(tensor.type)) {
      return Error(Code::kUnsupported, path, ": tensor \"", tensor.name, "\", ", one.name,
                   ": expected floating-point numbers, found ", OnnxTypeName(tensor.type));
    }
  }
  model.data_files = data->external_files();
  model.note = Note(data->file(), weights);
  model.activation = std::move(encoder.activation);
  model.heads = encoder.heads;
  model.epsilon = encoder.epsilon;
  model.takes_types = encoder.takes_types;
  model.weights = std::make_unique<OnnxWeightFile>(std::move(data), std::move(weights));
  return model;
}

}  // namespace thimble::convert
