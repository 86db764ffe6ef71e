// Embeds with a model of a pool, a few texts at a time.

#include "backends/local.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"
#include "thimble/precision.h"

namespace thimble::backends {
namespace {

// Between two questions whether to go on.
constexpr std::size_t kTexts = 32;

}  // namespace

Local::Local(const runtime::EngineEntry& engine, const BackendOptions& options)
    : name_(engine.name),
      model_(engine.opens_files ? options.model : name_),
      dtype_(options.dtype),
      options_(options.pool),
      dimensions_(options.dimensions != 0 ? std::optional(options.dimensions) : std::nullopt),
      identity_(name_ + "\n" + model_ + "\n" + dtype_) {}

Result<Lease> Local::Acquire() {
  if (model_.empty()) return Error(Code::kInvalidArgument, "backend ", name_, ": needs a model");
  {
    const std::lock_guard lock(mutex_);
    if (!pool_) {
      THIMBLE_ASSIGN_OR_RETURN(pool_, ModelPool::Create(options_));
    }
  }
  return pool_->Acquire(model_, dtype_);
}

Result<BackendInfo> Local::Describe(const Call&) {
  THIMBLE_ASSIGN_OR_RETURN(Lease lease, Acquire());
  const ModelInfo& model = lease.model().info();
  BackendInfo info;
  info.name = name_;
  info.model = model.name;
  THIMBLE_ASSIGN_OR_RETURN(info.fingerprint, SpaceFingerprint(model, {.dimensions = dimensions_}));
  info.dimensions = dimensions_.value_or(model.dimensions);
  info.max_tokens = lease.max_tokens();
  for (const Prompt& prompt : model.prompts) info.prompt_names.push_back(prompt.name);
  info.long_texts = {LongTexts::kTruncate, LongTexts::kError, LongTexts::kChunk};
  return info;
}

Status Local::Embed(std::span<Item* const> items, const Call& call) {
  if (items.empty()) return Status();
  THIMBLE_ASSIGN_OR_RETURN(Lease lease, Acquire());
  const std::size_t dimensions = dimensions_.value_or(lease.model().dimensions());
  VectorOptions options = {.normalize = call.normalize, .dimensions = dimensions_, .prompt_name = call.prompt_name};
  options.long_texts = call.long_texts.value_or(LongTexts::kTruncate);
  std::vector<std::string_view> texts;
  std::vector<float> vectors;
  std::vector<Report> reports;
  for (std::size_t begin = 0, end = 0; begin < items.size(); begin = end) {
    THIMBLE_RETURN_IF_ERROR(CheckGoesOn(call, name_, std::chrono::steady_clock::now()));
    // Messages count from the first text on.
    for (end = begin; end < items.size() && end - begin < kTexts; ++end) {
      if (items[end]->place != items[begin]->place + (end - begin)) break;
    }
    texts.clear();
    for (std::size_t i = begin; i < end; ++i) texts.push_back(items[i]->text);
    vectors.resize(texts.size() * dimensions);
    reports.assign(texts.size(), {});
    options.first_index = items[begin]->place;
    THIMBLE_RETURN_IF_ERROR(lease.EmbedBatch(texts, vectors, reports, options));
    for (std::size_t i = begin; i < end; ++i) {
      const float* vector = vectors.data() + (i - begin) * dimensions;
      const Report& report = reports[i - begin];
      items[i]->embedding = {{vector, vector + dimensions}, report.tokens, report.truncated, report.chunks};
    }
  }
  return Status();
}

}  // namespace thimble::backends
