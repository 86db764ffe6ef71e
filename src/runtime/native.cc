// The native engine: a model file, its tokenizer, and its workers.

#include <cstdint>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "base/checked.h"
#include "base/error.h"
#include "format/reader.h"
#include "kernels/kernels.h"
#include "model/encoder.h"
#include "model/weights.h"
#include "runtime/engine.h"
#include "runtime/engines.h"
#include "runtime/native_worker.h"
#include "text/token_list.h"

namespace thimble::runtime {
namespace {

// Its header's strings and tables take about three times the header's bytes; the rest is what any use of the library
// touches once: its data, the stack, the heap's slack.
constexpr std::size_t kHeaderFactor = 3;
constexpr std::size_t kProcessBytes = 48 << 10;
// Pages of this size are the largest of common systems; a copy takes whole ones.
constexpr std::size_t kMostPageBytes = 64 << 10;

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
  Result<Report> EmbedTokens(std::string_view text, float* rows, const std::atomic<bool>* stop) override {
    return workers_[0]->EmbedTokens(text, rows, crew(), stop);
  }
  Status EmbedIds(std::span<const std::int32_t> ids, float* rows, const std::atomic<bool>* stop) override {
    return workers_[0]->EncodeIds(ids, "ids", rows, crew(), stop);
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
