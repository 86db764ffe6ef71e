// Reading a receipt, and embedding its texts again.

#include "thimble/receipt.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <span>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "format/reader.h"
#include "model/receipt_tensors.h"
#include "runtime/session.h"
#include "thimble/embedder.h"

namespace thimble::inline v0_1 {
namespace {

constexpr std::uint64_t kMaxGoldens = 4096;

// Unset where there are none.
Result<std::optional<UnrelatedCosines>> ReadUnrelated(const format::Reader& reader) {
  if (!reader.Metadata(model::kUnrelatedPairsKey)) return std::optional<UnrelatedCosines>();
  UnrelatedCosines unrelated;
  THIMBLE_ASSIGN_OR_RETURN(unrelated.pairs,
                           reader.Integer(model::kUnrelatedPairsKey, 1, std::numeric_limits<std::uint32_t>::max()));
  THIMBLE_ASSIGN_OR_RETURN(std::string_view rest, reader.Text(model::kUnrelatedCosinesKey));
  for (const double share : model::kUnrelatedShares) {
    double cosine = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), cosine);
    const bool ascends = unrelated.quantiles.empty() || cosine >= unrelated.quantiles.back().cosine;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const bool ends = share == 1 ? rest.empty() : rest.starts_with(' ');
    if (error != std::errc() || !std::isfinite(cosine) || !ascends || !ends) {
      return Error(Code::kCorrupt, reader.path(), ": metadata \"", model::kUnrelatedCosinesKey, "\": expected ",
                   std::size(model::kUnrelatedShares), " ascending numbers, found \"",
                   *reader.Metadata(model::kUnrelatedCosinesKey), "\"");
    }
    unrelated.quantiles.push_back({share, cosine});
    if (!rest.empty()) rest.remove_prefix(1);
  }
  return std::optional<UnrelatedCosines>(std::move(unrelated));
}

Result<Receipt> Read(const format::Reader& reader) {
  Receipt receipt;
  const std::pair<std::string_view, std::string*> texts[] = {{model::kSourceHashKey, &receipt.source_sha256},
                                                             {model::kTokenizerHashKey, &receipt.tokenizer_sha256},
                                                             {model::kRecipeKey, &receipt.recipe},
                                                             {model::kCalibrationKey, &receipt.calibration}};
  for (const auto& [key, value] : texts) {
    THIMBLE_ASSIGN_OR_RETURN(*value, reader.Text(key));
  }
  THIMBLE_ASSIGN_OR_RETURN(receipt.texts,
                           reader.Integer(model::kTextsKey, 1, std::numeric_limits<std::uint32_t>::max()));
  THIMBLE_ASSIGN_OR_RETURN(receipt.cosine_mean, reader.Number(model::kCosineMeanKey));
  THIMBLE_ASSIGN_OR_RETURN(receipt.cosine_p1, reader.Number(model::kCosineP1Key));
  THIMBLE_ASSIGN_OR_RETURN(receipt.cosine_min, reader.Number(model::kCosineMinKey));
  if (reader.Metadata(model::kScoreErrorKey)) {
    THIMBLE_ASSIGN_OR_RETURN(receipt.score_error_max, reader.Number(model::kScoreErrorKey));
  }
  for (std::size_t i = 0;; ++i) {
    const auto note = reader.Metadata(std::string(model::kNotePrefix) + std::to_string(i));
    if (!note) break;
    receipt.notes.emplace_back(*note);
  }
  THIMBLE_ASSIGN_OR_RETURN(receipt.unrelated, ReadUnrelated(reader));
  THIMBLE_ASSIGN_OR_RETURN(receipt.goldens, reader.Integer(model::kGoldensKey, 1, kMaxGoldens));
  return receipt;
}

// The texts of kGoldenTextsTensor.
Result<std::vector<std::string_view>> GoldenTexts(const format::Reader& reader, std::size_t count) {
  THIMBLE_ASSIGN_OR_RETURN(std::span<const std::uint8_t> bytes, reader.Vector<std::uint8_t>(model::kGoldenTextsTensor));
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::vector<std::string_view> texts;
  while (texts.size() < count) {
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos) {
      return Error(Code::kCorrupt, reader.path(), ": tensor \"", model::kGoldenTextsTensor, "\": ", texts.size(),
                   " texts, expected ", count);
    }
    texts.push_back(rest.substr(0, end));
    rest.remove_prefix(end + 1);
  }
  return texts;
}

Result<bool> WeightsMatch(const runtime::ModelFile& file) {
  THIMBLE_ASSIGN_OR_RETURN(std::string_view expected, file.reader().Text(model::kWeightsHashKey));
  THIMBLE_ASSIGN_OR_RETURN(std::string found, file.HashOfWeights());
  return found == expected;
}

}  // namespace

Result<std::optional<Receipt>> ReadReceipt(const Model& model) {
  return base::Guarded([&]() -> Result<std::optional<Receipt>> {
    const runtime::ModelFile* file = model.engine().file();
    if (file == nullptr || !file->reader().Metadata(model::kRecipeKey)) return std::optional<Receipt>();
    THIMBLE_ASSIGN_OR_RETURN(Receipt receipt, Read(file->reader()));
    return std::optional<Receipt>(std::move(receipt));
  });
}

double Percentile(const UnrelatedCosines& unrelated, double cosine) {
  const auto& quantiles = unrelated.quantiles;
  if (quantiles.empty() || std::isnan(cosine)) return NAN;
  const auto above = std::upper_bound(quantiles.begin(), quantiles.end(), cosine,
                                      [](double value, const auto& quantile) { return value < quantile.cosine; });
  if (above == quantiles.begin()) return 0;
  const double most = 100 * (1 - 1 / (static_cast<double>(unrelated.pairs) + 1));
  if (above == quantiles.end()) return most;
  const auto below = above - 1;
  const double way = (cosine - below->cosine) / (above->cosine - below->cosine);
  return std::min(most, 100 * (below->share + way * (above->share - below->share)));
}

Result<Verification> Verify(std::shared_ptr<const Model> model) {
  return base::Guarded([&]() -> Result<Verification> {
    if (model == nullptr) return Error(Code::kInvalidArgument, "Verify: the model is null");
    THIMBLE_ASSIGN_OR_RETURN(std::optional<Receipt> receipt, ReadReceipt(*model));
    if (!receipt) {
      const bool has_file = model->engine().file() != nullptr;
      return Error(Code::kNotFound, "no receipt: ", model->info().name,
                   has_file ? " was made by an older converter; convert it again" : " is a mock and has no file");
    }
    const runtime::ModelFile& file = *model->engine().file();
    const format::Reader& reader = file.reader();
    const std::size_t width = model->dimensions();
    Verification found;
    found.goldens = receipt->goldens;
    THIMBLE_ASSIGN_OR_RETURN(found.weights_match, WeightsMatch(file));
    THIMBLE_ASSIGN_OR_RETURN(std::vector<std::string_view> texts, GoldenTexts(reader, receipt->goldens));
    THIMBLE_ASSIGN_OR_RETURN(
        std::span<const float> expected,
        reader.Tensor<float>(model::kGoldenVectorsTensor, {receipt->goldens, model::GoldenWidth(width)}));
    // As the converter did: without a prompt, and of a reranker a ring of pairs.
    THIMBLE_ASSIGN_OR_RETURN(const std::unique_ptr<runtime::Session> session, runtime::Session::Create(model, {}));
    VectorOptions options = {.prompt_name = ""};
    if (model->info().pooling.empty()) options.pooling = Pooling::kMean;
    const auto run = [&](std::size_t i, std::span<float> out) {
      if (model->engine().embeds()) return session->EmbedBatch({&texts[i], 1}, out, {}, options);
      return session->Rank(texts[i], {&texts[(i + 1) % texts.size()], 1}, out, {},
                           {.raw_scores = true, .prompt_name = ""});
    };
    std::vector<float> vector(width);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const Status status = run(i, vector);
      if (status.code() == Code::kCorrupt && file.Check().ok()) {  // A vector that is not finite.
        found.differences.push_back({std::string(texts[i]), NAN});
        continue;
      }
      THIMBLE_RETURN_IF_ERROR(status);
      const float* golden = expected.data() + i * model::GoldenWidth(width);
      if (std::memcmp(golden, vector.data(), width * sizeof(float)) == 0) continue;
      double largest = 0;
      for (std::size_t k = 0; k < width; ++k) {
        const double difference = std::fabs(double{golden[k]} - vector[k]);
        largest = std::isnan(difference) || std::isnan(largest) ? NAN : std::max(largest, difference);
      }
      found.differences.push_back({std::string(texts[i]), largest});
    }
    return found;
  });
}

}  // namespace thimble::inline v0_1
