// Reads the model file that was just written, as an application will, and writes down what it gives.

#include "convert/receipt.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <mutex>
#include <numeric>
#include <string>
#include <string_view>

#include "base/arena.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/finite.h"
#include "base/sha256.h"
#include "convert/calibration.h"
#include "convert/code_limits.h"
#include "convert/parallel.h"
#include "convert/text_sequences.h"
#include "convert/unrelated.h"
#include "format/reader.h"
#include "model/encoder.h"
#include "model/head.h"
#include "model/receipt_tensors.h"
#include "model/weights.h"

namespace thimble::convert {
namespace {

// The first texts, which are a cross-section of all: 18 KB of vectors where these have 384 dimensions.
constexpr std::size_t kGoldens = 12;

// kGoldenTextsTensor, filled up with zeros to whole cache lines.
std::vector<std::uint8_t> GoldenTexts() {
  std::vector<std::uint8_t> bytes;
  const std::vector<std::string_view> texts = ReceiptTexts();
  for (std::size_t i = 0; i < kGoldens; ++i) {
    bytes.insert(bytes.end(), texts[i].begin(), texts[i].end());
    bytes.push_back(0);
  }
  bytes.resize(base::RoundUp(bytes.size(), format::kAlignment));
  return bytes;
}

// The first vectors of many, as kGoldenVectorsTensor holds them.
std::vector<float> Goldens(std::span<const float> vectors, std::size_t dimensions) {
  std::vector<float> goldens(kGoldens * model::GoldenWidth(dimensions));
  for (std::size_t i = 0; i < kGoldens; ++i) {
    std::copy_n(&vectors[i * dimensions], dimensions, &goldens[i * model::GoldenWidth(dimensions)]);
  }
  return goldens;
}

// The head without the classifier of a model for pairs: what the accuracy of its layers shows in.
model::HeadSpec Features(model::HeadSpec head) {
  head.modules.pop_back();
  return head;
}

// What the model of a file gives for sequences; features if it is one for pairs.
Result<ReceiptVectors> Embed(const model::Weights& weights, const Sequences& sequences, const kernels::Kernels& kernels,
                             base::ThreadTeam& team) {
  const bool pairs = weights.program.architecture.pairs;
  const std::size_t hidden = weights.info.token_dimensions;
  const model::TileShape shape = {.tokens = weights.info.max_tokens, .longest = weights.info.max_tokens};
  const model::HeadSpec features = pairs ? Features(weights.head) : model::HeadSpec();
  base::Arena measure;
  (void)model::Encoder(weights, kernels, shape, measure);
  (void)model::Head(weights.head, weights.head_weights, hidden, kernels, measure);
  if (pairs) (void)model::Head(features, weights.head_weights, hidden, kernels, measure);
  struct Worker {
    base::Mapping memory;
    std::optional<base::Arena> arena;
    std::optional<model::Encoder> encoder;
    std::optional<model::Head> head, features;
  };
  std::vector<Worker> workers(team.size());
  for (Worker& worker : workers) {
    THIMBLE_ASSIGN_OR_RETURN(worker.memory, base::Mapping::Create(measure.used()));
    worker.arena.emplace(worker.memory.bytes());
    worker.encoder.emplace(weights, kernels, shape, *worker.arena);
    worker.head.emplace(weights.head, weights.head_weights, hidden, kernels, *worker.arena);
    if (pairs) worker.features.emplace(features, weights.head_weights, hidden, kernels, *worker.arena);
  }
  std::vector<std::size_t> begin(sequences.lengths.size());
  std::exclusive_scan(sequences.lengths.begin(), sequences.lengths.end(), begin.begin(), std::size_t{0});
  const std::size_t dimensions = weights.info.dimensions, width = pairs ? features.Dimensions(hidden) : 0;
  ReceiptVectors found = {std::vector<float>(begin.size() * dimensions), std::vector<float>(begin.size() * width)};
  std::mutex mutex;
  Status failure;
  ForEach(team, begin.size(), [&](std::size_t i, std::size_t member) {
    const std::uint32_t length = sequences.lengths[i];
    auto rows = workers[member].encoder->Encode({&sequences.ids[begin[i]], length}, {&length, 1},
                                                model::WantedRows::kAll, {}, {&sequences.seconds[i], 1});
    if (!rows.ok()) {
      std::lock_guard lock(mutex);
      failure = rows.status();
      return;
    }
    const auto run = [&](std::optional<model::Head>& head, float* out) {
      head->Run(weights.head.pooling, rows->data(), length, 0, weights.info.normalize, out);
    };
    run(workers[member].head, &found.vectors[i * dimensions]);
    if (pairs) run(workers[member].features, &found.features[i * width]);
  });
  if (!failure.ok()) return failure;
  return found;
}

// The same of a forward pass that is through, from sequence `first` on.
Result<std::vector<float>> VectorsOf(const Forward& forward, std::size_t first, std::size_t hidden,
                                     const model::HeadSpec& spec, std::span<const model::HeadWeights> weights,
                                     bool normalize, const kernels::Kernels& kernels) {
  base::Arena measure;
  (void)model::Head(spec, weights, hidden, kernels, measure);
  base::Mapping memory;
  if (measure.used() > 0) {
    THIMBLE_ASSIGN_OR_RETURN(memory, base::Mapping::Create(measure.used()));
  }
  base::Arena arena(memory.bytes());
  model::Head run(spec, weights, hidden, kernels, arena);
  const std::size_t dimensions = run.dimensions();
  const std::vector<std::uint32_t>& lengths = forward.sequences().lengths;
  const float* rows = forward.x().data();
  std::vector<float> vectors((lengths.size() - first) * dimensions);
  for (std::size_t i = 0; i < lengths.size(); rows += hidden * lengths[i++]) {
    if (i < first) continue;
    run.Run(spec.pooling, rows, lengths[i], 0, normalize, &vectors[(i - first) * dimensions]);
  }
  return vectors;
}

double Cosine(const float* a, const float* b, std::size_t size) {
  const double ab = std::inner_product(a, a + size, b, 0.0);
  const double aa = std::inner_product(a, a + size, a, 0.0);
  const double bb = std::inner_product(b, b + size, b, 0.0);
  return ab == aa && aa == bb ? 1 : ab / std::sqrt(aa * bb);
}

// Of a cosine or a difference of scores: eight digits behind the point, or nan. By way of an integer: std::to_chars for
// doubles brings 100 KB of tables to the packages.
std::string CosineText(double cosine) {
  if (std::isnan(cosine)) return "nan";
  const long long parts = std::llround(cosine * 1e8);
  std::string digits = std::to_string(std::llabs(parts));
  if (digits.size() < 9) digits.insert(0, 9 - digits.size(), '0');
  digits.insert(digits.size() - 8, ".");
  return (parts < 0 ? "-" : "") + digits;
}

// What the cosines of texts on different subjects are.
Status WriteUnrelated(const model::Weights& weights, const kernels::Kernels& kernels, base::ThreadTeam& team,
                      format::Writer* writer) {
  const UnrelatedSequences unrelated = MakeUnrelated(weights.tokenizer, weights.info.max_tokens);
  THIMBLE_ASSIGN_OR_RETURN(const ReceiptVectors found, Embed(weights, unrelated.sequences, kernels, team));
  const std::vector<double> cosines = UnrelatedCosines(found.vectors, unrelated.counts, weights.info.dimensions);
  std::string quantiles;
  for (const double share : model::kUnrelatedShares) {
    quantiles.append(quantiles.empty() ? "" : " ").append(CosineText(Quantile(cosines, share)));
  }
  THIMBLE_RETURN_IF_ERROR(writer->SetMetadata(std::string(model::kUnrelatedPairsKey), std::to_string(cosines.size())));
  return writer->SetMetadata(std::string(model::kUnrelatedCosinesKey), quantiles);
}

}  // namespace

Result<Sequences> ReceiptSequences(const text::Tokenizer& tokenizer, std::size_t max_tokens) {
  Sequences sequences;
  THIMBLE_ASSIGN_OR_RETURN(TextSequences texts, TextSequences::Create(tokenizer, max_tokens));
  const std::vector<std::string_view> all = ReceiptTexts();
  // The goldens make a ring of their own.
  const std::span<const std::string_view> goldens = std::span(all).first(kGoldens),
                                          others = std::span(all).subspan(kGoldens);
  for (const std::span<const std::string_view> list : {goldens, others}) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      const TextSequence sequence = texts.Next(list, i);
      sequences.Add(sequence.ids, sequence.second);
    }
  }
  return sequences;
}

Result<ReceiptVectors> ExactVectorsOf(const Forward& forward, std::size_t first, std::size_t hidden,
                                      const HeadSource& head, bool normalize, const kernels::Kernels& kernels,
                                      bool pairs) {
  ReceiptVectors exact;
  THIMBLE_ASSIGN_OR_RETURN(exact.vectors, VectorsOf(forward, first, hidden, head.spec, head.views, normalize, kernels));
  if (!pairs) return exact;
  const model::HeadSpec spec = Features(head.spec);
  THIMBLE_ASSIGN_OR_RETURN(exact.features, VectorsOf(forward, first, hidden, spec, head.views, false, kernels));
  return exact;
}

void DeclareReceipt(std::size_t dimensions, format::Layout* layout) {
  format::TensorInfo texts, vectors;
  texts.name = model::kGoldenTextsTensor;
  texts.type = format::ElementType::kU8;
  texts.shape = {GoldenTexts().size()};
  vectors.name = model::kGoldenVectorsTensor;
  vectors.type = format::ElementType::kF32;
  vectors.shape = {kGoldens, model::GoldenWidth(dimensions)};
  layout->tensors.push_back(texts);
  layout->tensors.push_back(vectors);
  layout->reserve += kReceiptHeaderBytes;
}

Status WriteReceipt(const ReceiptFacts& facts, const ReceiptVectors& exact, const kernels::Kernels& kernels,
                    base::ThreadTeam& team, format::Writer* writer) {
  const std::size_t texts = ReceiptTexts().size(), dimensions = exact.vectors.size() / texts;
  const std::string vectors_name(model::kGoldenVectorsTensor);
  const std::vector<std::uint8_t> golden_texts = GoldenTexts();
  THIMBLE_RETURN_IF_ERROR(writer->Append(model::kGoldenTextsTensor, std::as_bytes(std::span(golden_texts))));
  // To be overwritten: a reader wants them there.
  THIMBLE_RETURN_IF_ERROR(AppendValues<float>(vectors_name, Goldens(exact.vectors, dimensions), writer));
  if (!facts.pairs) THIMBLE_RETURN_IF_ERROR(AppendCodeLimits(dimensions, writer));
  THIMBLE_ASSIGN_OR_RETURN(base::RegularFile file, writer->Flush());
  THIMBLE_ASSIGN_OR_RETURN(const format::Reader reader, format::Reader::Open(std::move(file)));
  THIMBLE_ASSIGN_OR_RETURN(const model::Weights weights, model::Weights::Load(reader));
  THIMBLE_ASSIGN_OR_RETURN(const Sequences sequences, ReceiptSequences(weights.tokenizer, weights.info.max_tokens));
  THIMBLE_ASSIGN_OR_RETURN(const ReceiptVectors found, Embed(weights, sequences, kernels, team));
  const std::vector<float>& vectors = found.vectors;
  if (!base::AllFinite(exact.vectors) || !base::AllFinite(vectors)) {
    return Error(Code::kUnsupported,
                 "the weights give vectors with values that are not finite: they exceed the range "
                 "of ",
                 base::AllFinite(exact.vectors) ? "this dtype; use fp32" : "fp32");
  }
  const std::vector<float> goldens = Goldens(vectors, dimensions);
  THIMBLE_RETURN_IF_ERROR(writer->Overwrite(vectors_name, std::as_bytes(std::span(goldens))));

  std::vector<double> cosines;
  const std::vector<float>&features = facts.pairs ? found.features : vectors,
        &expected = facts.pairs ? exact.features : exact.vectors;
  const std::size_t width = features.size() / texts;
  for (std::size_t i = 0; i < texts; ++i) {
    cosines.push_back(Cosine(&features[i * width], &expected[i * width], width));
  }
  double largest = 0;
  for (std::size_t i = 0; i < vectors.size(); ++i) {
    largest = std::max(largest, std::fabs(double{vectors[i]} - exact.vectors[i]));
  }
  std::sort(cosines.begin(), cosines.end());
  const double mean = std::accumulate(cosines.begin(), cosines.end(), 0.0) / static_cast<double>(texts);
  THIMBLE_ASSIGN_OR_RETURN(std::span<const std::uint8_t> behind,
                           reader.Vector<std::uint8_t>(model::kGoldenTextsTensor));
  THIMBLE_ASSIGN_OR_RETURN(std::string hash,
                           base::Sha256OfFile(reader.file(), reader.header().data_begin, reader.Offset(behind.data())));
  const std::pair<std::string_view, std::string> entries[] = {{model::kWeightsHashKey, hash},
                                                              {model::kSourceHashKey, facts.source_sha256},
                                                              {model::kTokenizerHashKey, facts.tokenizer_sha256},
                                                              {model::kRecipeKey, facts.recipe},
                                                              {model::kCalibrationKey, facts.calibration},
                                                              {model::kTextsKey, std::to_string(texts)},
                                                              {model::kCosineMeanKey, CosineText(mean)},
                                                              {model::kCosineP1Key, CosineText(cosines[texts / 100])},
                                                              {model::kCosineMinKey, CosineText(cosines.front())},
                                                              {model::kGoldensKey, std::to_string(kGoldens)}};
  for (const auto& [key, value] : entries) THIMBLE_RETURN_IF_ERROR(writer->SetMetadata(std::string(key), value));
  if (facts.pairs) return writer->SetMetadata(std::string(model::kScoreErrorKey), CosineText(largest));
  THIMBLE_ASSIGN_OR_RETURN(const ReceiptVectors measured, Embed(weights, CodeSequences(weights), kernels, team));
  THIMBLE_RETURN_IF_ERROR(WriteCodeLimits(weights, measured.vectors, writer));
  return WriteUnrelated(weights, kernels, team, writer);
}

}  // namespace thimble::convert
