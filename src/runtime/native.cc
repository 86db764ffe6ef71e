// Filling tiles with texts and emptying them into vectors.

#include "runtime/native.h"

#include <cstdint>
#include <cstring>
#include <utility>

#include "base/arena.h"
#include "base/error.h"
#include "format/reader.h"
#include "model/encoder.h"
#include "model/pooling.h"
#include "model/weights.h"

namespace thimble {
namespace {

// Its header's strings and tables take about three times the header's bytes; the rest is what any use of the library
// touches once: its data, the stack, the heap's slack.
constexpr std::size_t kHeaderFactor = 3;
constexpr std::size_t kProcessBytes = 48 << 10;

class NativeWorker final : public Worker {
 public:
  // Takes its buffers from `scratch`; with an empty one it only counts and must not be used.
  NativeWorker(const Weights& weights, const kernels::Kernels& kernels, const WorkerOptions& options, Mapping scratch)
      : weights_(weights),
        kernels_(kernels),
        options_(options),
        scratch_(std::move(scratch)),
        arena_(scratch_.bytes()),
        encoder_(weights, kernels, {.tokens = options.tile_tokens, .longest = options.max_tokens}, arena_),
        ids_(arena_.Take<std::int32_t>(options.tile_tokens + options.max_tokens)),
        lengths_(arena_.Take<std::uint32_t>(options.tile_tokens)) {}

  std::size_t scratch_bytes() const { return arena_.used(); }
  Status Embed(const Batch& batch, std::size_t begin, std::size_t end) override;
  Result<Report> EmbedTokens(std::string_view text, float* rows) override;
  void Release() override { scratch_.Release(); }

 private:
  // Encodes the tile and writes its vectors; it is then empty, even if that failed.
  Status Flush(const Batch& batch);

  const Weights& weights_;
  const kernels::Kernels& kernels_;
  const WorkerOptions options_;
  Mapping scratch_;
  Arena arena_;
  Encoder encoder_;

  // The tile: sequences laid end to end, and the texts they are of.
  std::int32_t* ids_;           // [tile_tokens + max_tokens]: a text that no longer fits waits behind the tile.
  std::uint32_t* lengths_;      // [tile_tokens]
  std::size_t first_text_ = 0;  // Its texts are consecutive.
  std::size_t num_texts_ = 0;
  std::size_t num_ids_ = 0;
};

Status NativeWorker::Embed(const Batch& batch, std::size_t begin, std::size_t end) {
  first_text_ = begin;
  for (std::size_t i = begin; i < end; ++i) {
    text::Encoded encoded = weights_.tokenizer.Encode(batch.texts[i], {ids_ + num_ids_, options_.max_tokens});
    if (!batch.reports.empty()) batch.reports[i] = {.tokens = encoded.tokens, .truncated = encoded.truncated};
    if (num_ids_ + encoded.tokens > options_.tile_tokens) {
      const std::int32_t* waiting = ids_ + num_ids_;
      THIMBLE_RETURN_IF_ERROR(Flush(batch));
      std::memmove(ids_, waiting, encoded.tokens * sizeof(std::int32_t));
    }
    lengths_[num_texts_++] = static_cast<std::uint32_t>(encoded.tokens);
    num_ids_ += encoded.tokens;
  }
  return Flush(batch);
}

Status NativeWorker::Flush(const Batch& batch) {
  if (num_texts_ == 0) return Status();
  const std::size_t width = weights_.hidden;
  const std::size_t texts = std::exchange(num_texts_, 0), ids = std::exchange(num_ids_, 0);
  THIMBLE_ASSIGN_OR_RETURN(std::span<const float> encoded, encoder_.Encode({ids_, ids}, {lengths_, texts}));
  const float* rows = encoded.data();
  for (std::size_t i = 0; i < texts; ++i) {
    float* out = batch.vectors + (first_text_ + i) * width;
    Pool(kernels_, batch.pooling, batch.normalize, rows, lengths_[i], width, out);
    rows += lengths_[i] * width;
  }
  first_text_ += texts;
  return Status();
}

Result<Report> NativeWorker::EmbedTokens(std::string_view text, float* rows) {
  const text::Encoded encoded = weights_.tokenizer.Encode(text, {ids_, options_.max_tokens});
  const auto length = static_cast<std::uint32_t>(encoded.tokens);
  THIMBLE_ASSIGN_OR_RETURN(std::span<const float> vectors, encoder_.Encode({ids_, encoded.tokens}, {&length, 1}));
  std::memcpy(rows, vectors.data(), vectors.size_bytes());
  return Report{.tokens = encoded.tokens, .truncated = encoded.truncated};
}

class NativeModel final : public Model::Impl {
 public:
  NativeModel(std::unique_ptr<const format::Reader> reader, Weights weights, const kernels::Kernels& kernels)
      : reader_(std::move(reader)), weights_(std::move(weights)), kernels_(kernels) {}

  const ModelInfo& info() const override { return weights_.info; }
  std::size_t special_tokens() const override { return weights_.tokenizer.num_special(); }
  std::string_view isa() const override { return kernels_.name; }

  const format::Reader* reader() const override { return reader_.get(); }

  Result<Tokens> Tokenize(std::string_view text, std::size_t max_tokens) const override {
    Tokens tokens;
    tokens.ids.resize(max_tokens);
    text::Encoded encoded = weights_.tokenizer.Encode(text, tokens.ids);
    tokens.ids.resize(encoded.tokens);
    tokens.truncated = encoded.truncated;
    return tokens;
  }

  std::size_t FixedBytes() const override {
    return kHeaderFactor * reader_->header().data_begin + weights_.layers.size() * sizeof(LayerWeights) + kProcessBytes;
  }

  std::size_t ScratchBytes(std::size_t max_tokens, std::size_t tile_tokens) const override {
    WorkerOptions options = {.max_tokens = max_tokens, .tile_tokens = tile_tokens};
    return NativeWorker(weights_, kernels_, options, Mapping()).scratch_bytes();
  }

  Result<std::unique_ptr<Worker>> CreateWorker(const WorkerOptions& options) const override {
    const std::size_t bytes = ScratchBytes(options.max_tokens, options.tile_tokens);
    THIMBLE_ASSIGN_OR_RETURN(Mapping scratch, Mapping::Create(bytes));
    return std::unique_ptr<Worker>(std::make_unique<NativeWorker>(weights_, kernels_, options, std::move(scratch)));
  }

 private:
  std::unique_ptr<const format::Reader> reader_;  // Owns what `weights_` views.
  Weights weights_;
  const kernels::Kernels& kernels_;
};

}  // namespace

Result<std::unique_ptr<const Model::Impl>> OpenNative(const std::string& path, const kernels::Kernels& kernels) {
  THIMBLE_ASSIGN_OR_RETURN(format::Reader opened, format::Reader::Open(path));
  auto reader = std::make_unique<const format::Reader>(std::move(opened));
  THIMBLE_ASSIGN_OR_RETURN(Weights weights, Weights::Load(*reader));
  return std::unique_ptr<const Model::Impl>(
      std::make_unique<const NativeModel>(std::move(reader), std::move(weights), kernels));
}

}  // namespace thimble
