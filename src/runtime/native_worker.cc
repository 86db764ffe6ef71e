// Fills tiles with texts, windows of texts or pairs, and empties them into vectors.

#include "runtime/native_worker.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "base/finite.h"

namespace thimble::runtime {

NativeWorker::NativeWorker(const ModelFile& file, const model::Weights& weights, const kernels::Kernels& kernels,
                           const WorkerOptions& options, base::Mapping scratch)
    : file_(file),
      weights_(weights),
      options_(options),
      cut_(CutOf(options.truncation)),
      scratch_(std::move(scratch)),
      arena_(scratch_.bytes()),
      encoder_(weights, kernels, {.tokens = options.tile_tokens, .longest = options.max_tokens}, arena_),
      ids_(arena_.Take<std::int32_t>(options.tile_tokens + options.max_tokens)),
      lengths_(arena_.Take<std::uint32_t>(options.tile_tokens)),
      goes_on_(arena_.Take<std::uint8_t>(options.tile_tokens)),
      window_sum_(arena_.Take<double>(weights.info.dimensions)),
      uncut_(arena_.Take<float>(base::RoundUp(weights.info.dimensions, model::kHeadStep))),
      windows_(weights.tokenizer, options.max_tokens, arena_),
      head_(weights.head, weights.head_weights, weights.info.token_dimensions, kernels, arena_) {
  if (weights.program.architecture.pairs) {
    pairs_.emplace(weights.tokenizer, options.max_tokens, cut_, arena_);
    seconds_ = arena_.Take<std::uint32_t>(options.tile_tokens);
  } else if (options.cache != nullptr && !weights.info.fingerprint.empty()) {
    caches_ = true;
    cached_ = arena_.Take<Cached>(options.tile_tokens);
  }
}

Status NativeWorker::Embed(const Batch& batch, std::size_t begin, std::size_t end, const model::Crew& crew) {
  crew_ = crew;
  unpooled_ = weights_.head.include_prompt ? 0 : UnpooledTokens(batch.prompt);
  first_text_ = begin;
  num_sequences_ = num_ids_ = 0;  // A call that failed may have left some.
  window_weight_ = 0;
  if (caches_) hash_ = HashOf(batch);
  if (batch.long_texts == LongTexts::kChunk) {
    const bool fits = windows_.SetPrompt(batch.prompt);
    THIMBLE_ASSIGN_OR_RETURN(const std::size_t overlap,
                             ResolveOverlap(batch, options_.max_tokens, fits ? windows_.room() : 0));
    for (std::size_t i = begin; i < end; ++i) THIMBLE_RETURN_IF_ERROR(EmbedWindows(batch, i, overlap));
    return Flush(batch);
  }
  if (batch.query) {
    pairs_->SetFirst(batch.prompt, *batch.query);
    for (std::size_t i = begin; i < end; ++i) THIMBLE_RETURN_IF_ERROR(EmbedPair(batch, i));
    return Flush(batch);
  }
  for (std::size_t i = begin; i < end; ++i) {
    const text::Encoded encoded =
        weights_.tokenizer.Encode(batch.prompt, batch.texts[i], {ids_ + num_ids_, options_.max_tokens}, cut_);
    if (encoded.truncated && batch.long_texts == LongTexts::kError) {
      return TooLong(batch, i, weights_.tokenizer.Count(batch.prompt, batch.texts[i]), options_.max_tokens);
    }
    if (!batch.reports.empty()) batch.reports[i] = {.tokens = encoded.tokens, .truncated = encoded.truncated};
    if (caches_) {
      base::Sha256 hash = hash_;
      AddSequenceTo(hash, encoded.tokens);
      THIMBLE_ASSIGN_OR_RETURN(const bool found, Find(batch, i, hash));
      if (found) continue;
    }
    THIMBLE_RETURN_IF_ERROR(Add(batch, encoded.tokens, false));
  }
  return Flush(batch);
}

std::size_t NativeWorker::UnpooledTokens(std::string_view prompt) const {
  if (prompt.empty()) return 0;
  const std::size_t tokens = std::min(weights_.tokenizer.Count({}, prompt), options_.max_tokens);
  return tokens - (weights_.tokenizer.num_special() > weights_.tokenizer.num_prefix() ? 1 : 0);
}

Status NativeWorker::EmbedWindows(const Batch& batch, std::size_t index, std::size_t overlap) {
  std::size_t chunks = 0;
  if (caches_) {
    text::Windows windows(windows_, batch.texts[index], overlap);
    base::Sha256 hash = hash_;
    std::size_t tokens = 0;
    while (!windows.AtEnd()) {
      ++chunks;
      tokens = windows.Next(ids_ + num_ids_);
      AddSequenceTo(hash, tokens);
    }
    if (chunks > 1) {  // What the weights of the windows depend on.
      const std::uint64_t prompt_tokens = windows_.prompt_tokens();
      hash.Update(std::as_bytes(std::span(&prompt_tokens, 1)));
    }
    if (!batch.reports.empty()) batch.reports[index] = {.tokens = windows.tokens(), .chunks = chunks};
    THIMBLE_ASSIGN_OR_RETURN(const bool found, Find(batch, index, hash));
    if (found) return Status();
    if (chunks == 1) return Add(batch, tokens, false);
    chunks = 0;
  }
  text::Windows windows(windows_, batch.texts[index], overlap);
  while (std::size_t tokens = windows.Next(ids_ + num_ids_)) {
    ++chunks;
    THIMBLE_RETURN_IF_ERROR(Add(batch, tokens, !windows.AtEnd()));
  }
  if (!batch.reports.empty()) batch.reports[index] = {.tokens = windows.tokens(), .chunks = chunks};
  return Status();
}

Status NativeWorker::EmbedPair(const Batch& batch, std::size_t index) {
  const text::EncodedPair encoded = pairs_->Encode(batch.texts[index], ids_ + num_ids_);
  if (encoded.truncated && batch.long_texts == LongTexts::kError) {
    return TooLong(batch, index, pairs_->Count(batch.texts[index]), options_.max_tokens);
  }
  if (!batch.reports.empty()) batch.reports[index] = {.tokens = encoded.tokens, .truncated = encoded.truncated};
  return Add(batch, encoded.tokens, false, encoded.second);
}

Status NativeWorker::Add(const Batch& batch, std::size_t tokens, bool goes_on, std::size_t second) {
  if (num_ids_ + tokens > options_.tile_tokens) {
    const std::int32_t* waiting = ids_ + num_ids_;
    THIMBLE_RETURN_IF_ERROR(Flush(batch));
    std::memmove(ids_, waiting, tokens * sizeof(std::int32_t));
  }
  goes_on_[num_sequences_] = goes_on;
  if (caches_) cached_[num_sequences_] = in_hand_;
  if (seconds_ != nullptr) seconds_[num_sequences_] = static_cast<std::uint32_t>(second);
  lengths_[num_sequences_++] = static_cast<std::uint32_t>(tokens);
  num_ids_ += tokens;
  return Status();
}

Status NativeWorker::Flush(const Batch& batch) {
  if (num_sequences_ == 0) return Status();
  const std::size_t width = weights_.info.token_dimensions;
  const std::size_t dimensions = weights_.info.dimensions;
  const std::size_t sequences = std::exchange(num_sequences_, 0), ids = std::exchange(num_ids_, 0);
  const bool only_first = unpooled_ == 0 && std::all_of(batch.pooling.begin(), batch.pooling.end(),
                                                        [](Pooling pooling) { return pooling == Pooling::kCls; });
  const model::WantedRows wanted = only_first ? model::WantedRows::kFirst : model::WantedRows::kAll;
  const std::span<const std::uint32_t> seconds(seconds_, seconds_ == nullptr ? 0 : sequences);
  THIMBLE_ASSIGN_OR_RETURN(std::span<const float> encoded,
                           encoder_.Encode({ids_, ids}, {lengths_, sequences}, wanted, crew_, seconds, batch.stop));
  // What is kept must be of the file as it was opened.
  if (caches_) THIMBLE_RETURN_IF_ERROR(file_.Check());
  const float* rows = encoded.data();
  for (std::size_t i = 0; i < sequences; ++i) {
    const std::size_t index = caches_ ? cached_[i].index : first_text_;
    float* vector = UncutOf(batch, index);
    const std::size_t count = wanted == model::WantedRows::kFirst ? 1 : lengths_[i];
    const bool whole = goes_on_[i] == 0 && window_weight_ == 0;
    if (count <= unpooled_ &&
        std::find(batch.pooling.begin(), batch.pooling.end(), Pooling::kMax) != batch.pooling.end()) {
      return Error(Code::kInvalidArgument, "texts[", batch.first_index + index,
                   "]: nothing to pool: the text has only the ", unpooled_, " tokens of the prompt, which ",
                   weights_.info.name, " does not pool");
    }
    head_.Run(batch.pooling, rows, count, unpooled_, false, vector);
    if (!whole) {
      const std::size_t others = weights_.tokenizer.num_special() + windows_.prompt_tokens();
      AddWindow(static_cast<double>(lengths_[i] - others), goes_on_[i] != 0, vector);
    }
    bool finite = model::RowsAreFinite(rows, count, width);
    if (goes_on_[i] == 0) finite = finite && base::AllFinite({vector, dimensions});
    if (!finite) return NotFinite(batch.what() + std::to_string(batch.first_index + index) + "]");
    if (goes_on_[i] == 0) {
      if (caches_) options_.cache->Put(cached_[i].key, {vector, dimensions});
      THIMBLE_RETURN_IF_ERROR(Finish(batch, index));
      ++first_text_;
    }
    rows += count * width;
  }
  return Status();
}

float* NativeWorker::UncutOf(const Batch& batch, std::size_t index) const {
  const bool cut = batch.dimensions < weights_.info.dimensions;
  return cut ? uncut_ : batch.vectors + index * batch.dimensions;
}

Status NativeWorker::Finish(const Batch& batch, std::size_t index) {
  float* vector = UncutOf(batch, index);
  float* out = batch.vectors + index * batch.dimensions;
  if (vector != out) {
    head_.Cut(vector, batch.dimensions, batch.normalize, out);
  } else if (batch.normalize) {
    head_.Normalize(vector);
  }
  if (base::AllFinite({out, batch.dimensions})) return Status();
  return NotFinite(batch.what() + std::to_string(batch.first_index + index) + "]");
}

base::Sha256 NativeWorker::HashOf(const Batch& batch) const {
  base::Sha256 hash;
  hash.Update(weights_.info.fingerprint);
  const std::uint64_t counts[] = {unpooled_, batch.pooling.size()};
  hash.Update(std::as_bytes(std::span(counts)));
  hash.Update(std::as_bytes(batch.pooling));
  return hash;
}

void NativeWorker::AddSequenceTo(base::Sha256& hash, std::size_t tokens) const {
  const std::uint64_t length = tokens;
  hash.Update(std::as_bytes(std::span(&length, 1)));
  hash.Update(std::as_bytes(std::span(ids_ + num_ids_, tokens)));
}

Result<bool> NativeWorker::Find(const Batch& batch, std::size_t index, base::Sha256& hash) {
  in_hand_ = {index, hash.Digest()};
  if (!options_.cache->Get(in_hand_.key, {UncutOf(batch, index), weights_.info.dimensions})) return false;
  THIMBLE_RETURN_IF_ERROR(Finish(batch, index));
  return true;
}

Status NativeWorker::NotFinite(std::string_view what) const {
  const std::string& path = weights_.words.file->file().path();
  return Error(Code::kCorrupt, what, ": the vector has values that are not finite: ", path,
               " is damaged; check it with thimble verify ", path);
}

void NativeWorker::AddWindow(double tokens, bool goes_on, float* vector) {
  const std::size_t dimensions = weights_.info.dimensions;
  if (window_weight_ == 0) std::fill_n(window_sum_, dimensions, 0.0);
  window_weight_ += tokens;
  for (std::size_t k = 0; k < dimensions; ++k) window_sum_[k] += tokens * vector[k];
  if (goes_on) return;
  for (std::size_t k = 0; k < dimensions; ++k) vector[k] = static_cast<float>(window_sum_[k] / window_weight_);
  window_weight_ = 0;
}

Result<Report> NativeWorker::EmbedTokens(std::string_view text, float* rows, const model::Crew& crew,
                                         const std::atomic<bool>* stop) {
  const text::Encoded encoded = weights_.tokenizer.Encode({}, text, {ids_, options_.max_tokens}, cut_);
  THIMBLE_RETURN_IF_ERROR(EncodeIds({ids_, encoded.tokens}, "text", rows, crew, stop));
  return Report{.tokens = encoded.tokens, .truncated = encoded.truncated};
}

Status NativeWorker::EncodeIds(std::span<const std::int32_t> ids, std::string_view what, float* rows,
                               const model::Crew& crew, const std::atomic<bool>* stop) {
  const auto length = static_cast<std::uint32_t>(ids.size());
  THIMBLE_ASSIGN_OR_RETURN(std::span<const float> vectors,
                           encoder_.Encode(ids, {&length, 1}, model::WantedRows::kAll, crew, {}, stop));
  if (!base::AllFinite(vectors)) return NotFinite(what);
  std::memcpy(rows, vectors.data(), vectors.size_bytes());
  return Status();
}

}  // namespace thimble::runtime
