// The loops that embed and similar share: batches of an input through an embedder or a remote backend.

#ifndef THIMBLE_CLI_EMBED_TEXTS_H_
#define THIMBLE_CLI_EMBED_TEXTS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/input.h"
#include "cli/progress.h"
#include "thimble/backend.h"
#include "thimble/embedder.h"

namespace thimble::cli {

// Scratch memory goes back to the system when no text has come for this long.
inline constexpr int kIdleMilliseconds = 1000;

// Says how far an input is whose last batch is `batch`.
inline void ShowProgress(const Input& input, const Batch& batch, Progress& progress) {
  std::optional<double> share;
  if (input.bytes_total() > 0) {
    share = static_cast<double>(input.bytes_read()) / static_cast<double>(input.bytes_total());
  }
  progress.Show(share, batch.first_index + batch.texts.size());
}

// The error for a text that the reader cut, where long texts are errors.
inline Status TooLong(std::uint64_t index) {
  return Error(Code::kInvalidArgument, "texts[", index, "]: a line of more than ", kMaxTextBytes,
               " bytes (long_texts is error)");
}

// Calls take(batch, vectors, reports) -> Status for each batch, in order. A text cut by the reader counts as truncated,
// and is an error where long texts are.
template <typename Take>
Status EmbedTexts(Input& input, Embedder& embedder, VectorOptions options, Progress& progress, Take&& take) {
  Batch batch;
  std::vector<std::string_view> views;
  std::vector<float> vectors;
  std::vector<Report> reports;
  for (;;) {
    if (!input.ReadyWithin(kIdleMilliseconds)) embedder.Release();
    THIMBLE_RETURN_IF_ERROR(input.Next(batch));
    if (batch.texts.empty()) return Status();
    views.assign(batch.texts.begin(), batch.texts.end());
    vectors.resize(views.size() * options.dimensions.value_or(embedder.dimensions()));
    reports.resize(views.size());
    options.first_index = batch.first_index;
    THIMBLE_RETURN_IF_ERROR(embedder.EmbedBatch(views, vectors, reports, options));
    for (std::size_t i = 0; i < reports.size(); ++i) {
      if (batch.cut[i] && options.long_texts == LongTexts::kError) {
        return TooLong(batch.first_index + i);
      }
      reports[i].truncated |= batch.cut[i];
    }
    THIMBLE_RETURN_IF_ERROR(take(batch, std::span<const float>(vectors), std::span<const Report>(reports)));
    ShowProgress(input, batch, progress);
  }
}

// Enough texts at a time to keep several requests under way.
inline constexpr InputLimits kRemoteLimits = {.batch_texts = 1024, .batch_bytes = 1 << 20};

// Calls take(batch, embeddings) -> Status for each batch, in order; after a failure also for what came of the last one,
// some of whose vectors are then empty.
template <typename Take>
Status EmbedRemoteTexts(Input& input, Backend& backend, BackendCall call, Progress& progress, Take&& take) {
  Batch batch;
  std::vector<Embedding> embeddings;
  for (;;) {
    THIMBLE_RETURN_IF_ERROR(input.Next(batch));
    if (batch.texts.empty()) return Status();
    for (std::size_t i = 0; i < batch.cut.size(); ++i) {
      if (batch.cut[i] && call.long_texts == LongTexts::kError) return TooLong(batch.first_index + i);
    }
    const std::vector<std::string_view> texts(batch.texts.begin(), batch.texts.end());
    call.first_index = batch.first_index;
    const Status status = backend.Embed(texts, call, embeddings);
    const Status taken = take(batch, std::span<const Embedding>(embeddings));
    THIMBLE_RETURN_IF_ERROR(status);
    THIMBLE_RETURN_IF_ERROR(taken);
    ShowProgress(input, batch, progress);
  }
}

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_EMBED_TEXTS_H_
