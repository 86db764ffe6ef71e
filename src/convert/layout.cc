// What a model file will hold.

#include "convert/layout.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>
#include <type_traits>

#include "convert/code_limits.h"
#include "convert/receipt.h"
#include "convert/tokenizer_tensors.h"
#include "format/reader.h"
#include "model/receipt_tensors.h"
#include "model/relative_bias.h"

namespace thimble::convert {
namespace {

using format::WeightFormat;

std::string FormatText(WeightFormat format) {
  std::string text(format::WeightFormatName(format));
  if (format::IsTwoLevel(format)) {
    text += " (groups of " + std::to_string(format::MatrixLevels(format).group) + ")";
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

MatrixSpec SpecOf(const Job& job, std::size_t layer, const model::Step& step) {
  MatrixSpec spec = {.name = model::NameOfStep(layer, step),
                     .format = job.MatrixFormat(layer, step),
                     .outputs = step.outputs,
                     .inputs = step.inputs,
                     .rotation = {}};
  if (const kernels::Rotation* rotation = job.program.RotationOf(step.in); job.int8() && rotation != nullptr) {
    spec.rotation = *rotation;
  }
  return spec;
}

TableSpec WordsOf(const Job& job) {
  const model::Architecture& a = job.program.architecture;
  return {"embeddings.words", job.words(), a.vocabulary, a.hidden};
}

TableSpec PositionsOf(const Job& job) {
  const model::Architecture& a = job.program.architecture;
  return {"embeddings.positions", job.formats().positions, a.position_rows(), a.hidden};
}

format::Layout LayoutOf(const Job& job, const std::string& name) {
  const model::Architecture& encoder = job.program.architecture;
  format::Layout layout;
  if (NeedsVersion2(job)) layout.version = format::kVersion2;
  layout.metadata = {{"name", name},
                     {"dtype", std::string(job.formats().name)},
                     {"architecture", std::string(job.config.family->name)}};
  for (auto& entry : model::DescriptionOf(encoder)) layout.metadata.push_back(std::move(entry));
  DeclareHead(job.head, job.pooling_stated, job.formats().head, &layout);
  if (job.config.classifier) {
    const Config::Classifier& classifier = *job.config.classifier;
    for (std::size_t i = 0; i < classifier.labels.size(); ++i) {
      layout.metadata.emplace_back(std::string(model::kLabelPrefix) + std::to_string(i), classifier.labels[i]);
    }
    layout.metadata.emplace_back(model::kScoreActivationKey, classifier.activation);
  }
  layout.metadata.emplace_back("normalize", job.normalize ? "true" : "false");
  if (job.head.spec.layer_norm_before_cut) layout.metadata.emplace_back(model::kLayerNormBeforeCutKey, "true");
  layout.metadata.emplace_back("max_tokens", std::to_string(job.max_tokens));
  const CompiledTokenizer& tokenizer = job.tokenizer.tokenizer;
  if (tokenizer.max_length != 0) {
    const std::size_t limit = std::min(tokenizer.max_length, encoder.positions);
    layout.metadata.emplace_back("tokenizers_max_tokens", std::to_string(limit));
  }
  if (job.model_max_length) {
    layout.metadata.emplace_back("model_max_length", std::to_string(*job.model_max_length));
  }
  for (const Prompt& prompt : job.prompts) layout.metadata.emplace_back("prompt." + prompt.name, prompt.text);
  if (const std::string& prompt = job.config.default_prompt_name; !prompt.empty()) {
    layout.metadata.emplace_back("default_prompt_name", prompt);
  }
  for (std::size_t i = 0; i < job.notes.size(); ++i) {
    layout.metadata.emplace_back(std::string(model::kNotePrefix) + std::to_string(i), job.notes[i]);
  }
  if (job.int8()) {
    layout.metadata.emplace_back("rotation.hidden", kernels::RotationName(job.program.stream_rotation));
    layout.metadata.emplace_back("rotation.intermediate", kernels::RotationName(job.program.inner_rotation));
  }
  DeclareTokenizer(*tokenizer.kind, &layout);
  Declare(PositionsOf(job), &layout);
  DeclareVector("embeddings.offset", encoder.hidden, format::ElementType::kF32, &layout);
  if (job.has_second_type()) {
    DeclareVector("embeddings.second_offset", encoder.hidden, format::ElementType::kF32, &layout);
  }
  DeclareNorm("embeddings.norm", encoder.hidden, &layout);
  if (encoder.relative_reach != 0) {
    DeclareVector(std::string(model::kRelativeBias), encoder.heads * model::BiasRowFloats(encoder.relative_reach),
                  format::ElementType::kF32, &layout);
  }
  for (std::size_t i = 0; i < encoder.layers; ++i) {
    for (const model::Step& step : job.program.layer) {
      if (step.kind == model::Step::Kind::kNorm) {
        DeclareNorm(model::NameOfStep(i, step), step.inputs, &layout);
      } else {
        Declare(SpecOf(job, i, step), &layout);
      }
    }
  }
  Declare(WordsOf(job), &layout);
  DeclareReceipt(job.head.spec.Dimensions(encoder.hidden), &layout);
  if (!encoder.pairs) DeclareCodeLimits(job.head.spec.Dimensions(encoder.hidden), &layout);
  return layout;
}

std::string RecipeOf(const Job& job, const CalibrationReport* report) {
  std::map<WeightFormat, std::size_t> matrices;
  for (std::size_t i = 0; i < job.program.architecture.layers; ++i) {
    for (const model::Step& step : job.program.layer) {
      if (step.kind != model::Step::Kind::kNorm) ++matrices[job.MatrixFormat(i, step)];
    }
  }
  std::string text = "matrices";
  for (const auto& [format, count] : matrices) {
    text += (text.back() == 's' ? " " : ", ") + std::to_string(count) + " in " + FormatText(format);
  }
  text += "; words " + std::string(format::WeightFormatName(job.words())) + ", positions " +
          std::string(format::WeightFormatName(job.formats().positions));
  if (!job.int8()) return text;
  text += "; rotation " + kernels::RotationName(job.program.stream_rotation) + " and " +
          kernels::RotationName(job.program.inner_rotation);
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
