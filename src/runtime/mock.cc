// The two mocks behind the face of a model.

#include "runtime/mock.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "base/error.h"
#include "runtime/mock_vectors.h"

namespace thimble::inline v0_1 {
namespace {

constexpr std::string_view kMock = "mock";
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

class MockWorker final : public Worker {
 public:
  MockWorker(bool hashed, const WorkerOptions& options) : hashed_(hashed), options_(options) {}

  Status Embed(const Batch& batch, std::size_t begin, std::size_t end) override {
    for (std::size_t i = begin; i < end; ++i) {
      std::span<float> vector(batch.vectors + i * kMockDimensions, kMockDimensions);
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
      if (batch.normalize) Normalize(vector);
      if (!batch.reports.empty()) batch.reports[i] = report;
    }
    return Status();
  }
  Status EmbedTogether(const Batch& batch, const WorkerTeam&) override { return Embed(batch, 0, batch.texts.size()); }
  Result<Report> EmbedTokens(std::string_view, float*, const WorkerTeam&) override {
    return Error(Code::kUnsupported, "a mock produces no token vectors");
  }
  Status EmbedIds(std::span<const std::int32_t>, float*, const WorkerTeam&) override {
    return Error(Code::kUnsupported, "a mock has no vectors of tokens");
  }
  void Release() override {}

 private:
  HashedMockTokens Hash(const Batch& batch, std::string_view prompt, std::string_view text, std::span<float> vector,
                        std::size_t mark_at = 0) const {
    return HashedMockVector(prompt, text, options_.max_tokens, batch.pooling.front(), vector, mark_at);
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

class MockModel final : public Model::Impl {
 public:
  explicit MockModel(bool hashed) : hashed_(hashed) {
    info_.name = hashed ? kMockHashed : kMock;
    info_.dtype = "fp32";
    info_.dimensions = info_.token_dimensions = kMockDimensions;
    info_.positions = kPositions;
    info_.max_tokens = hashed ? kMaxTokens : kPositions;
    info_.tokenizers_max_tokens = kPositions;
    info_.model_max_length = kPositions;
    info_.pooling = {Pooling::kMean};
    info_.normalize = hashed;
    info_.prompts = {{"query", "query: "}, {"passage", "passage: "}, {"document", "document: "}};
  }

  const ModelInfo& info() const override { return info_; }
  std::size_t special_tokens() const override { return hashed_ ? kSpecialTokens : 0; }
  std::string_view isa() const override { return "none"; }
  std::string_view fastest_dtype() const override { return "none"; }
  Result<Tokens> Tokenize(std::string_view, std::string_view, std::size_t, const TokenizeOptions&) const override {
    return Error(Code::kUnsupported, info_.name, ": a mock has no vocabulary and so no token ids");
  }
  std::size_t FixedBytes() const override { return kFixedBytes; }
  std::size_t ScratchBytes(std::size_t, std::size_t) const override { return 0; }
  Result<std::unique_ptr<Worker>> CreateWorker(const WorkerOptions& options) const override {
    return std::unique_ptr<Worker>(std::make_unique<MockWorker>(hashed_, options));
  }

 private:
  const bool hashed_;
  ModelInfo info_;
};

}  // namespace

bool BackendHas(std::string_view name) {
  const char* backend = std::getenv("THIMBLE_BACKEND");
  std::string_view names = backend == nullptr ? "" : backend;
  while (!names.empty()) {
    const std::size_t end = std::min(names.find(','), names.size());
    if (names.substr(0, end) == name) return true;
    names.remove_prefix(std::min(end + 1, names.size()));
  }
  return false;
}

bool MockForced() {
  const char* backend = std::getenv("THIMBLE_BACKEND");
  return backend != nullptr && *backend != '\0' && !BackendHas("native");
}

std::unique_ptr<const Model::Impl> OpenMock(std::string_view name) {
  return std::make_unique<const MockModel>(name == kMockHashed);
}

}  // namespace thimble::inline v0_1
