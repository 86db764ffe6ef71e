// What a model file will hold.

#include "convert/layout.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string_view>
#include <type_traits>

#include "base/json_text.h"
#include "convert/receipt.h"
#include "convert/tokenizer_tensors.h"
#include "format/reader.h"
#include "model/receipt_tensors.h"

namespace thimble::convert {
namespace {

using format::TensorInfo;
using kernels::WeightFormat;

void DeclareVector(const std::string& name, std::size_t size, format::ElementType type, format::Layout* layout) {
  TensorInfo tensor;
  tensor.name = name;
  tensor.type = type;
  tensor.shape = {size};
  layout->tensors.push_back(tensor);
}

void DeclareNorm(const std::string& name, std::size_t width, format::Layout* layout) {
  DeclareVector(name + ".weight", width, format::ElementType::kF32, layout);
  DeclareVector(name + ".bias", width, format::ElementType::kF32, layout);
}

std::string FormatText(WeightFormat format) {
  std::string text(kernels::WeightFormatName(format));
  if (kernels::IsTwoLevel(format)) {
    text += " (groups of " + std::to_string(kernels::MatrixLevels(format).group) + ")";
  }
  return text;
}

// Whether a reader of version 1 would give other vectors.
bool NeedsVersion2(const Job& job) {
  const text::Kind& tokenizer = *job.tokenizer.tokenizer.kind;
  return !job.head.spec.modules.empty() || !job.head.spec.include_prompt || !job.config.default_prompt_name.empty() ||
         tokenizer.around.truncate_left != 0 || !tokenizer.added.word_chars.empty();
}

}  // namespace

LayerSpecs SpecsOf(const Job& job, std::size_t layer) {
  const std::size_t h = job.config.hidden, f = job.config.intermediate;
  const std::string name = "layers." + std::to_string(layer) + ".";
  const WeightFormat attention = job.AttentionFormat(layer), feed_forward = job.FeedForwardFormat(layer);
  std::optional<kernels::Rotation> hidden, inner;
  if (job.int8()) {
    hidden = kernels::RotationFor(h);
    inner = kernels::RotationFor(f);
  }
  return {{name + "qkv", attention, 3 * h, h, hidden},
          {name + "attention_output", attention, h, h, std::nullopt},
          {name + "ffn_in", feed_forward, f, h, hidden},
          {name + "ffn_out", feed_forward, h, f, inner}};
}

TableSpec WordsOf(const Job& job) {
  return {"embeddings.words", job.WordFormat(), job.config.vocabulary, job.config.hidden};
}

TableSpec PositionsOf(const Job& job) {
  return {"embeddings.positions", job.PositionFormat(), job.config.positions, job.config.hidden};
}

format::Layout LayoutOf(const Job& job, const std::string& name) {
  const Config& c = job.config;
  std::string epsilon;
  AppendJsonNumber(c.layer_norm_epsilon, epsilon);
  format::Layout layout;
  if (NeedsVersion2(job)) layout.version = format::kVersion2;
  layout.metadata = {{"name", name},
                     {"dtype", std::string(DtypeName(job.dtype))},
                     {"architecture", "bert"},
                     {"activation", std::string(ActivationName(c.activation))},
                     {"hidden_size", std::to_string(c.hidden)},
                     {"layers", std::to_string(c.layers)},
                     {"heads", std::to_string(c.heads)},
                     {"intermediate_size", std::to_string(c.intermediate)},
                     {"positions", std::to_string(c.positions)},
                     {"vocabulary", std::to_string(c.vocabulary)},
                     {"layer_norm_eps", epsilon}};
  DeclareHead(job.head, job.pooling_stated, job.HeadFormat(), &layout);
  layout.metadata.emplace_back("normalize", job.normalize ? "true" : "false");
  layout.metadata.emplace_back("max_tokens", std::to_string(job.max_tokens));
  const CompiledTokenizer& tokenizer = job.tokenizer.tokenizer;
  if (tokenizer.max_length != 0) {
    const std::size_t limit = std::min(tokenizer.max_length, c.positions);
    layout.metadata.emplace_back("tokenizers_max_tokens", std::to_string(limit));
  }
  if (job.model_max_length) {
    layout.metadata.emplace_back("model_max_length", std::to_string(*job.model_max_length));
  }
  for (const Prompt& prompt : job.prompts) layout.metadata.emplace_back("prompt." + prompt.name, prompt.text);
  if (!c.default_prompt_name.empty()) layout.metadata.emplace_back("default_prompt_name", c.default_prompt_name);
  for (std::size_t i = 0; i < job.notes.size(); ++i) {
    layout.metadata.emplace_back(std::string(kNotePrefix) + std::to_string(i), job.notes[i]);
  }
  if (job.int8()) {
    layout.metadata.emplace_back("rotation.hidden", kernels::RotationName(kernels::RotationFor(c.hidden)));
    layout.metadata.emplace_back("rotation.intermediate", kernels::RotationName(kernels::RotationFor(c.intermediate)));
  }
  DeclareTokenizer(*tokenizer.kind, &layout);
  Declare(PositionsOf(job), &layout);
  DeclareVector("embeddings.offset", c.hidden, format::ElementType::kF32, &layout);
  DeclareNorm("embeddings.norm", c.hidden, &layout);
  for (std::size_t i = 0; i < c.layers; ++i) {
    LayerSpecs specs = SpecsOf(job, i);
    const std::string prefix = "layers." + std::to_string(i) + ".";
    Declare(specs.qkv, &layout);
    Declare(specs.attention_output, &layout);
    DeclareNorm(prefix + "attention_norm", c.hidden, &layout);
    Declare(specs.ffn_in, &layout);
    Declare(specs.ffn_out, &layout);
    DeclareNorm(prefix + "ffn_norm", c.hidden, &layout);
  }
  Declare(WordsOf(job), &layout);
  DeclareReceipt(job.head.spec.Dimensions(c.hidden), &layout);
  return layout;
}

std::string RecipeOf(const Job& job, const CalibrationReport* report) {
  std::map<WeightFormat, std::size_t> matrices;
  for (std::size_t i = 0; i < job.config.layers; ++i) {
    const LayerSpecs specs = SpecsOf(job, i);
    for (const MatrixSpec* spec : {&specs.qkv, &specs.attention_output, &specs.ffn_in, &specs.ffn_out}) {
      ++matrices[spec->format];
    }
  }
  std::string text = "matrices";
  for (const auto& [format, count] : matrices) {
    text += (text.back() == 's' ? " " : ", ") + std::to_string(count) + " in " + FormatText(format);
  }
  text += "; words " + std::string(kernels::WeightFormatName(job.WordFormat())) + ", positions " +
          std::string(kernels::WeightFormatName(job.PositionFormat()));
  if (!job.int8()) return text;
  text += "; rotation " + kernels::RotationName(kernels::RotationFor(job.config.hidden)) + " and " +
          kernels::RotationName(kernels::RotationFor(job.config.intermediate));
  if (report == nullptr) return text + "; rounded";
  text += "; gptq of " + std::to_string(report->matrices) + " matrices, where " + std::to_string(report->guarded) +
          " of " + std::to_string(report->rows) + " rows kept plain rounding";
  constexpr std::size_t kNamed = 8;
  for (std::size_t i = 0; i < std::min(report->refused.size(), kNamed); ++i) {
    text += (i == 0 ? "; rounded because gptq was no better: " : ", ") + report->refused[i];
  }
  if (report->refused.size() > kNamed) text += " and " + std::to_string(report->refused.size() - kNamed) + " more";
  return text;
}

}  // namespace thimble::convert
