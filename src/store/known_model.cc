// What the rows of the table of known models mean.

#include "format/tensors.h"
#include "store/known_models.h"
#include "thimble/known_models.h"

namespace thimble::store {
namespace {

using format::WeightFormat;

template <typename Tensors>
std::uint64_t Sum(const Tensors& tensors) {
  std::uint64_t bytes = 0;
  for (const format::StoredTensor& tensor : tensors) bytes += tensor.bytes();
  return bytes;
}

std::uint64_t MatrixBytes(WeightFormat format, std::size_t outputs, std::size_t inputs) {
  return Sum(format::TensorsOfMatrix(format, outputs, inputs));
}

std::uint64_t LayerBytes(const KnownShape& s, WeightFormat attention, WeightFormat feed_forward) {
  constexpr std::uint64_t kNorms = 2;
  return MatrixBytes(attention, 3 * s.hidden, s.hidden) + MatrixBytes(attention, s.hidden, s.hidden) +
         MatrixBytes(feed_forward, s.intermediate, s.hidden) + MatrixBytes(feed_forward, s.hidden, s.intermediate) +
         kNorms * 2 * sizeof(float) * s.hidden;
}

}  // namespace

std::string_view KnownModel::name() const {
  const std::string_view whole = repository;
  return whole.substr(whole.find('/') + 1);
}

std::vector<std::string_view> KnownModel::aliases() const {
  std::vector<std::string_view> names;
  for (std::string_view copy : copies) {
    if (!copy.empty()) names.push_back(copy);
  }
  return names;
}

std::optional<Pooling> KnownModel::pooling() const {
  switch (known_pooling) {
    case KnownPooling::kUnstated:
      return std::nullopt;
    case KnownPooling::kMean:
      return Pooling::kMean;
    case KnownPooling::kCls:
      return Pooling::kCls;
  }
  return std::nullopt;
}

std::vector<Prompt> KnownModel::prompts() const {
  switch (known_prompts) {
    case KnownPrompts::kNoPrompts:
      return {};
    case KnownPrompts::kSearch:
      return {{"query", "Represent this sentence for searching relevant passages: "}};
    case KnownPrompts::kQuery:
      return {{"query", "query: "}};
    case KnownPrompts::kE5:
      return {{"query", "query: "}, {"passage", "passage: "}};
  }
  return {};
}

std::string_view KnownModel::family_name() const {
  switch (family) {
    case KnownFamily::kBert:
    case KnownFamily::kJinaBert:
      return "bert";
    case KnownFamily::kDistilBert:
      return "distilbert";
    case KnownFamily::kMpNet:
      return "mpnet";
    case KnownFamily::kRoberta:
      return "roberta";
    case KnownFamily::kXlmRoberta:
    case KnownFamily::kJinaV3:
      return "xlm-roberta";
    case KnownFamily::kDeberta:
      return "deberta-v2";
    case KnownFamily::kGemma3:
      return "gemma3_text";
    case KnownFamily::kGteNew:
      return "new";
    case KnownFamily::kModernBert:
      return "modernbert";
    case KnownFamily::kNomicBert:
    case KnownFamily::kNomicMoe:
      return "nomic_bert";
    case KnownFamily::kQwen3:
      return "qwen3";
    case KnownFamily::kStatic:
      return "static";
  }
  return "";
}

std::string_view KnownModel::missing() const {
  switch (family) {
    case KnownFamily::kBert:
    case KnownFamily::kDistilBert:
    case KnownFamily::kMpNet:
    case KnownFamily::kRoberta:
    case KnownFamily::kXlmRoberta:
      return "";
    case KnownFamily::kDeberta:
      return "disentangled attention";
    case KnownFamily::kGemma3:
      return "rotary positions, RMS norms and grouped attention heads";
    case KnownFamily::kGteNew:
    case KnownFamily::kNomicBert:
      return "rotary positions and a gated feed-forward network";
    case KnownFamily::kJinaBert:
      return "ALiBi positions and a gated feed-forward network";
    case KnownFamily::kJinaV3:
      return "rotary positions and LoRA adapters";
    case KnownFamily::kModernBert:
      return "rotary positions, local attention and a gated feed-forward network";
    case KnownFamily::kNomicMoe:
      return "rotary positions and mixtures of experts";
    case KnownFamily::kQwen3:
      return "rotary positions, causal attention and RMS norms";
    case KnownFamily::kStatic:
      return "models without an encoder";
  }
  return "";
}

std::uint64_t KnownModel::FileBytes(format::Dtype dtype) const {
  if (!missing().empty()) return 0;
  const format::DtypeFormats& formats = format::FormatsOf(dtype);
  // The tokenizer of bert-base-uncased takes 7 bytes a word, those with scores 12. Header and receipt are small.
  constexpr std::uint64_t kOtherBytes = 40000;
  const std::uint64_t word_bytes = shape.vocabulary < format::kLargeVocabulary ? 7 : 12;
  std::uint64_t bytes = kOtherBytes + word_bytes * shape.vocabulary;
  bytes += Sum(format::TensorsOfTable(format::WordsFormat(formats, shape.vocabulary), shape.vocabulary, shape.hidden));
  bytes += Sum(format::TensorsOfTable(formats.positions, shape.positions, shape.hidden));
  bytes += (shape.layers - 1) * LayerBytes(shape, formats.matrices, formats.matrices);
  bytes += LayerBytes(shape, formats.last_attention, formats.last_feed_forward);
  if (shape.dense != 0) bytes += MatrixBytes(formats.head, shape.dense, shape.hidden);
  if (kind == Kind::kReranker) bytes += MatrixBytes(formats.head, shape.hidden, shape.hidden);
  return bytes;
}

}  // namespace thimble::store

namespace thimble::inline v0_1 {

std::vector<KnownModelInfo> KnownModels() {
  const auto score = [](const store::KnownScore& stored) -> std::optional<BenchmarkScore> {
    if (stored.tasks == 0) return std::nullopt;
    return BenchmarkScore{stored.hundredths / 100.0, stored.tasks, stored.retrieval_tenths / 10.0};
  };
  std::vector<KnownModelInfo> models;
  for (const store::KnownModel& row : store::AllKnownModels()) {
    KnownModelInfo& model = models.emplace_back();
    model.repository = row.repository;
    model.copies = row.aliases();
    model.family = row.family_name();
    model.missing = row.missing();
    model.reranker = row.kind == store::KnownModel::Kind::kReranker;
    model.multilingual = row.languages == store::KnownModel::Languages::kMultilingual;
    model.dimensions = model.reranker ? 0 : row.shape.dense != 0 ? row.shape.dense : row.shape.hidden;
    model.max_tokens = row.max_tokens;
    model.pooling = row.pooling();
    model.normalize = row.normalize;
    model.prompts = row.prompts();
    model.bytes_q8 = row.FileBytes(format::Dtype::kQ8);
    model.bytes_q4 = row.FileBytes(format::Dtype::kQ4);
    model.licence = row.licence;
    model.mteb_english = score(row.english);
    model.mteb_multilingual = score(row.multilingual);
  }
  return models;
}

std::string_view BenchmarkSource() {
  return "MTEB(eng, v2) and MTEB(Multilingual, v2) without Flores: means over the tasks that have a result, computed "
         "with mteb 2.26.24 from embeddings-benchmark/results at f4cc6c8b of 2026-08-20";
}

}  // namespace thimble::inline v0_1
