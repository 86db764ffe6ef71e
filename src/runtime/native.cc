// The native engine: a model file, and workers that fill tiles with texts and empty them into vectors.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/finite.h"
#include "base/sha256.h"
#include "cache/table.h"
#include "format/reader.h"
#include "kernels/kernels.h"
#include "model/encoder.h"
#include "model/head.h"
#include "model/weights.h"
#include "runtime/engine.h"
#include "runtime/engines.h"
#include "text/pairs.h"
#include "text/token_list.h"
#include "text/windows.h"

namespace thimble::runtime {
namespace {

// Its header's strings and tables take about three times the header's bytes; the rest is what any use of the library
// touches once: its data, the stack, the heap's slack.
constexpr std::size_t kHeaderFactor = 3;
constexpr std::size_t kProcessBytes = 48 << 10;
// Pages of this size are the largest of common systems; a copy takes whole ones.
constexpr std::size_t kMostPageBytes = 64 << 10;

text::Cut CutOf(Truncation truncation) {
  return truncation == Truncation::kTransformersJs ? text::Cut::kAll : text::Cut::kText;
}

// One thread's share. Thread-compatible.
class NativeWorker {
 public:
  // Takes its buffers from `scratch`; with an empty one it only counts and must not be used. `file` is that of the
  // weights.
  NativeWorker(const ModelFile& file, const model::Weights& weights, const kernels::Kernels& kernels,
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

  std::size_t scratch_bytes() const { return arena_.used(); }
  model::Encoder& encoder() { return encoder_; }
  // Embeds texts [begin, end), each tile with the help of `crew`.
  Status Embed(const Batch& batch, std::size_t begin, std::size_t end, const model::Crew& crew);
  Result<Report> EmbedTokens(std::string_view text, float* rows, const model::Crew& crew);
  // The vectors of one sequence, `what` in messages.
  Status EncodeIds(std::span<const std::int32_t> ids, std::string_view what, float* rows, const model::Crew& crew);
  void Release() { scratch_.Release(); }

 private:
  // What the cache is to have of a text.
  struct Cached {
    std::size_t index;
    cache::Key key;
  };

  Status EmbedWindows(const Batch& batch, std::size_t index, std::size_t overlap);
  Status EmbedPair(const Batch& batch, std::size_t index);
  // The error of a vector of `what` that is not finite.
  Status NotFinite(std::string_view what) const;
  // The hash of what decides the vectors of the call beside token ids. A sequence then adds its length and its ids.
  base::Sha256 HashOf(const Batch& batch) const;
  void AddSequenceTo(base::Sha256& hash, std::size_t tokens) const;
  // Looks up the text in hand, whose key is the hash: whether its vector is there, and so done.
  Result<bool> Find(const Batch& batch, std::size_t index, base::Sha256& hash);
  // Where the vector of a text is made: in its place, unless it is to be cut.
  float* UncutOf(const Batch& batch, std::size_t index) const;
  // Cuts and normalises what is there. kCorrupt where that leaves values that are not finite.
  Status Finish(const Batch& batch, std::size_t index);
  // Takes the sequence behind the tile into it. `goes_on` says that the text has another window, `second` where the
  // second text of a pair begins.
  Status Add(const Batch& batch, std::size_t tokens, bool goes_on, std::size_t second = 0);
  // Rows of a sequence that are a prompt's and not pooled. As sentence-transformers counts them: all of the prompt
  // alone but its last special token.
  std::size_t UnpooledTokens(std::string_view prompt) const;
  // Encodes the tile and writes its vectors; it is then empty, even if that failed.
  Status Flush(const Batch& batch);
  // Takes the vector of a window with so many tokens of its text into the mean, which then is in its place.
  void AddWindow(double tokens, bool goes_on, float* vector);

  const ModelFile& file_;
  const model::Weights& weights_;
  const WorkerOptions options_;
  const text::Cut cut_;
  base::Mapping scratch_;
  base::Arena arena_;
  model::Encoder encoder_;

  model::Crew crew_;          // Of the call in hand.
  std::size_t unpooled_ = 0;  // The same.
  // The tile: sequences laid end to end, each a text or a window of one.
  std::int32_t* ids_;                 // [tile_tokens + max_tokens]: one that no longer fits waits behind the tile.
  std::uint32_t* lengths_;            // [tile_tokens]
  std::uint8_t* goes_on_;             // [tile_tokens] whether the next sequence is of the same text.
  std::uint32_t* seconds_ = nullptr;  // [tile_tokens] of pairs: where the second text begins.
  std::size_t first_text_ = 0;        // Its texts are consecutive.
  std::size_t num_sequences_ = 0;
  std::size_t num_ids_ = 0;

  // The text whose windows are in hand: the sum of their vectors, weighted, and of the weights.
  double* window_sum_;  // [dimensions of the model]
  double window_weight_ = 0;
  float* uncut_;  // [dimensions of the model], filled up: a vector to be cut.
  text::WindowShape windows_;
  model::Head head_;
  std::optional<text::Pairs> pairs_;  // Of a model that takes them.

  bool caches_ = false;       // Whether there is a cache, for
  Cached* cached_ = nullptr;  // [tile_tokens] the text of each sequence. Between consecutive ones others were found.
  base::Sha256 hash_;         // Of the call in hand.
  Cached in_hand_ = {};
};

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

Result<Report> NativeWorker::EmbedTokens(std::string_view text, float* rows, const model::Crew& crew) {
  const text::Encoded encoded = weights_.tokenizer.Encode({}, text, {ids_, options_.max_tokens}, cut_);
  THIMBLE_RETURN_IF_ERROR(EncodeIds({ids_, encoded.tokens}, "text", rows, crew));
  return Report{.tokens = encoded.tokens, .truncated = encoded.truncated};
}

Status NativeWorker::EncodeIds(std::span<const std::int32_t> ids, std::string_view what, float* rows,
                               const model::Crew& crew) {
  const auto length = static_cast<std::uint32_t>(ids.size());
  THIMBLE_ASSIGN_OR_RETURN(std::span<const float> vectors,
                           encoder_.Encode(ids, {&length, 1}, model::WantedRows::kAll, crew));
  if (!base::AllFinite(vectors)) return NotFinite(what);
  std::memcpy(rows, vectors.data(), vectors.size_bytes());
  return Status();
}

class NativeWorkers final : public Workers {
 public:
  NativeWorkers(base::ThreadTeam team, std::vector<std::unique_ptr<NativeWorker>> workers)
      : Workers(std::move(team)), workers_(std::move(workers)) {
    for (const auto& worker : workers_) encoders_.push_back(&worker->encoder());
  }

  Status Embed(std::size_t worker, const Batch& batch, std::size_t begin, std::size_t end) override {
    return workers_[worker]->Embed(batch, begin, end, {});
  }
  Status EmbedTogether(const Batch& batch) override { return workers_[0]->Embed(batch, 0, batch.texts.size(), crew()); }
  Result<Report> EmbedTokens(std::string_view text, float* rows) override {
    return workers_[0]->EmbedTokens(text, rows, crew());
  }
  Status EmbedIds(std::span<const std::int32_t> ids, float* rows) override {
    return workers_[0]->EncodeIds(ids, "ids", rows, crew());
  }
  void Release() override {
    for (const auto& worker : workers_) worker->Release();
  }

 private:
  model::Crew crew() { return {.team = &team(), .encoders = encoders_}; }

  const std::vector<std::unique_ptr<NativeWorker>> workers_;
  std::vector<model::Encoder*> encoders_;
};

class NativeEngine final : public Engine {
 public:
  NativeEngine(std::unique_ptr<const ModelFile> file, model::Weights weights, const kernels::Kernels& kernels)
      : file_(std::move(file)), weights_(std::move(weights)), kernels_(kernels) {}

  const ModelInfo& info() const override { return weights_.info; }
  std::size_t special_tokens() const override { return weights_.tokenizer.num_pair_special(); }
  bool embeds() const override { return !weights_.program.architecture.pairs; }
  std::size_t num_scores() const override { return embeds() ? 0 : weights_.info.dimensions; }
  std::string_view isa() const override { return kernels_.name; }
  std::string_view fastest_dtype() const override { return format::WeightFormatName(kernels_.fastest); }

  const ModelFile* file() const override { return file_.get(); }

  Result<Tokens> Tokenize(std::string_view prompt, std::string_view text, std::size_t max_tokens,
                          const TokenizeOptions& options) const override {
    if (options.pair && options.special_tokens && weights_.tokenizer.middle().empty() &&
        !text::HasBertTemplate(weights_.tokenizer)) {
      return Error(Code::kUnsupported, "pair: ", weights_.info.name, " does not put one [CLS] before a text and one ",
                   "[SEP] behind it, and its file does not record its special tokens for a pair");
    }
    return text::ListTokens(weights_.tokenizer, prompt, text,
                            {.max_tokens = max_tokens,
                             .cut = CutOf(options.truncation),
                             .special = options.special_tokens,
                             .offsets = options.offsets,
                             .pair = options.pair});
  }

  Result<std::vector<TokenText>> TokenTexts(std::span<const std::int32_t> ids) const override {
    const SpecialIds roles = text::SpecialIdsOf(weights_.tokenizer);
    std::vector<std::string> entries = text::EntriesOf(weights_.tokenizer, ids);
    const Joining joining = weights_.tokenizer.kind().joining();
    std::vector<TokenText> texts;
    texts.reserve(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const bool special = text::IsSpecial(weights_.tokenizer, ids[i]);
      const bool control = special || ids[i] == roles.unk || ids[i] == roles.pad || ids[i] == roles.mask;
      texts.push_back({.text = std::move(entries[i]), .special = special, .control = control, .joining = joining});
    }
    return texts;
  }

  Result<SpecialIds> FindSpecialIds() const override { return text::SpecialIdsOf(weights_.tokenizer); }

  std::size_t FixedBytes() const override {
    const format::Reader& reader = file_->reader();
    return kHeaderFactor * reader.header().data_begin + weights_.matrices.size() * sizeof(kernels::Matrix) +
           weights_.norms.size() * sizeof(model::NormWeights) + kProcessBytes +
           (file_->is_copy() ? base::RoundUp(reader.file_bytes(), kMostPageBytes) : 0);
  }

  std::size_t ScratchBytes(const WorkerOptions& options) const override {
    return NativeWorker(*file_, weights_, kernels_, options, base::Mapping()).scratch_bytes();
  }

  Result<std::unique_ptr<Workers>> CreateWorkers(const WorkerOptions& options, base::ThreadTeam team) const override {
    const std::size_t bytes = ScratchBytes(options);
    std::vector<std::unique_ptr<NativeWorker>> workers;
    while (workers.size() < team.size()) {
      THIMBLE_ASSIGN_OR_RETURN(base::Mapping scratch, base::Mapping::Create(bytes));
      workers.push_back(std::make_unique<NativeWorker>(*file_, weights_, kernels_, options, std::move(scratch)));
    }
    return std::unique_ptr<Workers>(std::make_unique<NativeWorkers>(std::move(team), std::move(workers)));
  }

 private:
  const std::unique_ptr<const ModelFile> file_;  // Owns what `weights_` views.
  const model::Weights weights_;
  const kernels::Kernels& kernels_;
};

}  // namespace

Result<std::unique_ptr<const Engine>> OpenNative(const std::string& path, const OpenOptions& options) {
  THIMBLE_ASSIGN_OR_RETURN(const kernels::Kernels* kernels, kernels::ChooseKernels());
  return OpenNative(path, options, *kernels);
}

Result<std::unique_ptr<const Engine>> OpenNative(const std::string& path, const OpenOptions& options,
                                                 const kernels::Kernels& kernels) {
  THIMBLE_ASSIGN_OR_RETURN(std::unique_ptr<const ModelFile> file, ModelFile::Open(path, options));
  THIMBLE_ASSIGN_OR_RETURN(model::Weights weights, model::Weights::Load(file->reader()));
  return std::unique_ptr<const Engine>(
      std::make_unique<const NativeEngine>(std::move(file), std::move(weights), kernels));
}

}  // namespace thimble::runtime
