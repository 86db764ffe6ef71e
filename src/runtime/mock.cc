// Models without a file, for tests of applications. Model::Open says what they compute.

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "runtime/engine.h"
#include "runtime/engines.h"
#include "runtime/mock_vectors.h"

namespace thimble::runtime {
namespace {

constexpr std::string_view kMockHashed = "mock-hashed";
// A text of mock-hashed starts and ends with one of its own, as in a BERT model.
constexpr std::size_t kSpecialTokens = 2;
constexpr std::size_t kPositions = 512;
constexpr std::size_t kMaxTokens = 256;
// The objects themselves.
constexpr std::size_t kFixedBytes = 4096;

void Normalize(std::span<float> vector) {
  double squares = 0;
  for (float value : vector) squares += static_cast<double>(value) * value;
  if (squares == 0) return;
  for (float& value : vector) value = static_cast<float>(value / std::sqrt(squares));
}

class MockWorkers final : public Workers {
 public:
  MockWorkers(bool hashed, const WorkerOptions& options, base::ThreadTeam team)
      : Workers(std::move(team)), hashed_(hashed), options_(options) {}

  Status Embed(std::size_t, const Batch& batch, std::size_t begin, std::size_t end) override {
    if (batch.query) return Score(batch, begin, end);
    for (std::size_t i = begin; i < end; ++i) {
      float vector[kMockDimensions];
      Report report;
      if (!hashed_) {
        report.tokens = MockVector(batch.prompt, batch.texts[i], vector);
      } else if (batch.long_texts == LongTexts::kChunk) {
        THIMBLE_ASSIGN_OR_RETURN(report, EmbedWindows(batch, batch.texts[i], vector));
      } else {
        const HashedMockTokens found = Hash(batch, batch.prompt, batch.texts[i], vector);
        if (found.truncated && batch.long_texts == LongTexts::kError) {
          return TooLong(batch, i, CountMockTokens(batch.prompt, batch.texts[i]), options_.max_tokens);
        }
        report = {.tokens = found.count, .truncated = found.truncated};
      }
      const std::span<float> cut(vector, batch.dimensions);
      if (batch.normalize) Normalize(cut);
      std::copy(cut.begin(), cut.end(), batch.vectors + i * batch.dimensions);
      if (!batch.reports.empty()) batch.reports[i] = report;
    }
    return Status();
  }
  Status EmbedTogether(const Batch& batch) override { return Embed(0, batch, 0, batch.texts.size()); }
  Result<Report> EmbedTokens(std::string_view, float*, const std::atomic<bool>*) override {
    return Error(Code::kUnsupported, "a mock produces no token vectors");
  }
  Status EmbedIds(std::span<const std::int32_t>, float*, const std::atomic<bool>*) override {
    return Error(Code::kUnsupported, "a mock has no vectors of tokens");
  }
  void Release() override {}

 private:
  HashedMockTokens Hash(const Batch& batch, std::string_view prompt, std::string_view text, std::span<float> vector,
                        std::size_t mark_at = 0) const {
    return HashedMockVector(prompt, text, options_.max_tokens, batch.pooling.front(), vector, mark_at);
  }

  // The cosine of the vectors of query and text, which have half of the limit each.
  Status Score(const Batch& batch, std::size_t begin, std::size_t end) const {
    float first[kMockDimensions], second[kMockDimensions];
    const auto embed = [&](std::string_view prompt, std::string_view text, std::span<float> vector) {
      const HashedMockTokens found =
          hashed_ ? HashedMockVector(prompt, text, options_.max_tokens / 2, Pooling::kMean, vector, 0)
                  : HashedMockTokens{.count = MockVector(prompt, text, vector)};
      Normalize(vector);
      return found;
    };
    const HashedMockTokens query = embed(batch.prompt, *batch.query, first);
    for (std::size_t i = begin; i < end; ++i) {
      const HashedMockTokens found = embed({}, batch.texts[i], second);
      const bool truncated = query.truncated || found.truncated;
      if (truncated && batch.long_texts == LongTexts::kError) {
        const std::size_t tokens = CountMockTokens(batch.prompt, *batch.query) + CountMockTokens({}, batch.texts[i]);
        return TooLong(batch, i, tokens, options_.max_tokens);
      }
      double sum = 0;
      for (std::size_t k = 0; k < kMockDimensions; ++k) sum += static_cast<double>(first[k]) * second[k];
      batch.vectors[i] = static_cast<float>(sum);
      if (!batch.reports.empty()) batch.reports[i] = {.tokens = query.count + found.count, .truncated = truncated};
    }
    return Status();
  }

  // As the native engine does it.
  Result<Report> EmbedWindows(const Batch& batch, std::string_view text, std::span<float> vector) const {
    const std::size_t others = std::min(CountMockTokens({}, batch.prompt), options_.max_tokens);
    const std::size_t room = options_.max_tokens - others;
    THIMBLE_ASSIGN_OR_RETURN(const std::size_t overlap, ResolveOverlap(batch, options_.max_tokens, room));
    const std::size_t mark_at = options_.max_tokens - kSpecialTokens - overlap;
    HashedMockTokens found = Hash(batch, batch.prompt, text, vector, mark_at);
    Report report = {.tokens = found.count};
    if (!found.truncated) return report;
    double sum[kMockDimensions] = {};
    double weight = 0;
    for (;; ++report.chunks) {
      const auto tokens = static_cast<double>(found.count - others);
      for (std::size_t k = 0; k < kMockDimensions; ++k) sum[k] += tokens * vector[k];
      weight += tokens;
      if (!found.truncated) break;
      text.remove_prefix(found.mark);
      found = Hash(batch, batch.prompt, text, vector, mark_at);
      report.tokens += found.count - others - overlap;
    }
    for (std::size_t k = 0; k < kMockDimensions; ++k) vector[k] = static_cast<float>(sum[k] / weight);
    return report;
  }

  const bool hashed_;
  const WorkerOptions options_;
};

class MockEngine final : public Engine {
 public:
  explicit MockEngine(const std::string& name) : hashed_(name == kMockHashed) {
    info_.name = name;
    info_.dtype = "fp32";
    info_.dimensions = info_.token_dimensions = kMockDimensions;
    info_.positions = kPositions;
    info_.max_tokens = hashed_ ? kMaxTokens : kPositions;
    info_.tokenizers_max_tokens = kPositions;
    info_.model_max_length = kPositions;
    info_.pooling = {Pooling::kMean};
    info_.normalize = hashed_;
    info_.component_limits.assign(kMockDimensions, 1);
    info_.prompts = {{"query", "query: "}, {"passage", "passage: "}, {"document", "document: "}};
  }

  const ModelInfo& info() const override { return info_; }
  std::size_t special_tokens() const override { return hashed_ ? kSpecialTokens : 0; }
  bool embeds() const override { return true; }
  std::size_t num_scores() const override { return 1; }
  std::string_view isa() const override { return "none"; }
  std::string_view fastest_dtype() const override { return "none"; }
  const ModelFile* file() const override { return nullptr; }
  Result<Tokens> Tokenize(std::string_view, std::string_view, std::size_t, const TokenizeOptions&) const override {
    return Error(Code::kUnsupported, info_.name, ": a mock has no vocabulary and so no token ids");
  }
  Result<std::vector<TokenText>> TokenTexts(std::span<const std::int32_t>) const override { return NoVocabulary(); }
  Result<SpecialIds> FindSpecialIds() const override { return NoVocabulary(); }
  std::size_t FixedBytes() const override { return kFixedBytes; }
  std::size_t ScratchBytes(const WorkerOptions&) const override { return 0; }
  Result<std::unique_ptr<Workers>> CreateWorkers(const WorkerOptions& options, base::ThreadTeam team) const override {
    return std::unique_ptr<Workers>(std::make_unique<MockWorkers>(hashed_, options, std::move(team)));
  }

 private:
  Status NoVocabulary() const { return Error(Code::kUnsupported, info_.name, ": a mock has no vocabulary"); }

  const bool hashed_;
  ModelInfo info_;
};

}  // namespace

Result<std::unique_ptr<const Engine>> OpenMock(const std::string& name, const OpenOptions&) {
  return std::unique_ptr<const Engine>(std::make_unique<const MockEngine>(name));
}

}  // namespace thimble::runtime
