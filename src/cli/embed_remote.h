// The loop that embed and similar share for remote backends: batches of an input through a Backend.

#ifndef THIMBLE_CLI_EMBED_REMOTE_H_
#define THIMBLE_CLI_EMBED_REMOTE_H_

#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "cli/embed_texts.h"
#include "cli/input.h"
#include "cli/progress.h"
#include "thimble/backend.h"

namespace thimble::cli {

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

#endif  // THIMBLE_CLI_EMBED_REMOTE_H_
