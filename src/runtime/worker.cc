// Filling tiles with texts and emptying them into vectors.

#include "runtime/worker.h"

#include <cstring>
#include <utility>

#include "model/pooling.h"

namespace thimble {

Worker::Worker(const Weights& weights, const kernels::Kernels& kernels, const Options& options, Mapping scratch)
    : weights_(&weights),
      kernels_(&kernels),
      options_(options),
      scratch_(std::move(scratch)),
      arena_(scratch_.bytes()),
      encoder_(weights, kernels, options.shape, arena_),
      ids_(arena_.Take<std::int32_t>(options.shape.tokens + options.shape.longest)),
      lengths_(arena_.Take<std::uint32_t>(options.shape.tokens)) {}

std::size_t Worker::ScratchBytes(const Weights& weights, const kernels::Kernels& kernels, TileShape shape) {
  return Worker(weights, kernels, {.shape = shape}, Mapping()).arena_.used();
}

Result<Worker> Worker::Create(const Weights& weights, const kernels::Kernels& kernels, const Options& options) {
  Result<Mapping> scratch = Mapping::Create(ScratchBytes(weights, kernels, options.shape));
  if (!scratch.ok()) return scratch.status();
  return Worker(weights, kernels, options, *std::move(scratch));
}

void Worker::Embed(const Batch& batch, std::size_t begin, std::size_t end) {
  first_text_ = begin;
  for (std::size_t i = begin; i < end; ++i) {
    text::Encoded encoded = weights_->tokenizer.Encode(batch.texts[i], {ids_ + num_ids_, options_.shape.longest});
    if (!batch.reports.empty()) batch.reports[i] = {.tokens = encoded.tokens, .truncated = encoded.truncated};
    if (num_ids_ + encoded.tokens > options_.shape.tokens) {
      const std::int32_t* waiting = ids_ + num_ids_;
      Flush(batch);
      std::memmove(ids_, waiting, encoded.tokens * sizeof(std::int32_t));
    }
    lengths_[num_texts_++] = static_cast<std::uint32_t>(encoded.tokens);
    num_ids_ += encoded.tokens;
  }
  Flush(batch);
}

void Worker::Flush(const Batch& batch) {
  if (num_texts_ == 0) return;
  const std::size_t width = weights_->hidden;
  const float* rows = encoder_.Encode({ids_, num_ids_}, {lengths_, num_texts_}).data();
  for (std::size_t i = 0; i < num_texts_; ++i) {
    float* out = batch.vectors + (first_text_ + i) * width;
    Pool(*kernels_, options_.pooling, options_.normalize, rows, lengths_[i], width, out);
    rows += lengths_[i] * width;
  }
  first_text_ += num_texts_;
  num_texts_ = 0;
  num_ids_ = 0;
}

}  // namespace thimble
