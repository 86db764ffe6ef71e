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

// The last hidden state: an output of that name, else an output that is one. A graph with `sentence` may pool before
// that output, so that the encoder's last norm is looked for instead.
Result<OnnxEncoder> FindEncoder(OnnxLayers* layers, const OnnxFamily& family, OnnxValue sentence, OnnxValue* tokens) {
  const OnnxGraph& graph = layers->graph();
  for (const char* name : {"last_hidden_state", "token_embeddings"}) {
    *tokens = graph.Output(name);
    if (*tokens != kNoValue && (sentence == kNoValue || layers->Norm(*tokens) != nullptr)) {
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
  if (sentence == kNoValue) {
    for (std::string_view name : graph.data().file().outputs()) {
      if (auto encoder = attempt(graph.Find(name))) return *std::move(encoder);
    }
    return first;
  }
  for (int i = graph.ProducerIndex(sentence); i >= 0; --i) {
    const GraphNode& node = graph.nodes()[static_cast<std::size_t>(i)];
    const OnnxValue value = node.outputs.empty() ? kNoValue : node.outputs[0];
    if (value == kNoValue || graph.Core(value) != value) continue;
    if (auto encoder = attempt(value)) return *std::move(encoder);
  }
  return first;
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

Result<OnnxModel> OpenOnnx(const std::string& path, const Family& family, std::optional<std::int32_t> pad_id) {
  THIMBLE_ASSIGN_OR_RETURN(OnnxFile file, OnnxFile::Open(path));
  auto data = std::make_unique<OnnxData>(std::move(file));
  THIMBLE_ASSIGN_OR_RETURN(const OnnxGraph graph, OnnxGraph::Index(data.get()));
  OnnxLayers layers(graph);
  OnnxValue tokens = kNoValue;
  const OnnxValue sentence = graph.Output("sentence_embedding");
  THIMBLE_ASSIGN_OR_RETURN(OnnxEncoder encoder, FindEncoder(&layers, {family, pad_id}, sentence, &tokens));
  OnnxModel model;
  std::vector<NamedOnnxWeight> weights = std::move(encoder.weights);
  if (sentence != kNoValue) {
    THIMBLE_ASSIGN_OR_RETURN(OnnxHead head, FindHead(&layers, tokens, encoder.hidden, sentence));
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
  model.weights = std::make_unique<OnnxWeightFile>(std::move(data), std::move(weights));
  return model;
}

}  // namespace thimble::convert
