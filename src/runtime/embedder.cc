// Embedder: a plan, then workers that take texts in turn.

#include "thimble/embedder.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "base/thread_team.h"
#include "runtime/engine.h"
#include "runtime/plan.h"
#include "runtime/session.h"

namespace thimble::runtime {
namespace {

constexpr std::size_t kTextsPerWorker = 2;

}  // namespace

Status CheckEmbeds(const Engine& engine) {
  if (engine.embeds()) return Status();
  return Error(
      Code::kUnsupported, engine.info().name,
      " is a reranker, which scores pairs of texts and has no vectors; use a Reranker or thimble rerank, or an ",
      "embedding model here");
}

Status CheckRanks(const Engine& engine) {
  if (engine.num_scores() > 0) return Status();
  return Error(
      Code::kUnsupported, engine.info().name,
      " is an embedding model, which has no scores of pairs; use an Embedder or thimble similar, or a reranker ",
      "here");
}

Result<std::unique_ptr<Session>> Session::Create(std::shared_ptr<const Model> model, const EmbedderOptions& options) {
  THIMBLE_ASSIGN_OR_RETURN(Plan plan, Embedder::MakePlan(*model, options));
  base::ThreadTeam team = base::ThreadTeam::Create(plan.threads);
  if (team.size() < plan.threads) {
    EmbedderOptions granted = options;
    granted.threads = team.size();
    THIMBLE_ASSIGN_OR_RETURN(plan, Embedder::MakePlan(*model, granted));
  }
  const WorkerOptions worker_options = {.max_tokens = plan.max_tokens,
                                        .tile_tokens = plan.tile_tokens,
                                        .truncation = options.truncation,
                                        .cache = TableOf(options)};
  THIMBLE_ASSIGN_OR_RETURN(std::unique_ptr<Workers> workers,
                           model->engine().CreateWorkers(worker_options, std::move(team)));
  return std::make_unique<Session>(std::move(model), options.cache, plan, std::move(workers));
}

Result<Batch> Session::BatchOf(std::span<const std::string_view> texts, std::span<float> vectors,
                               std::span<Report> reports, const VectorOptions& options) const {
  THIMBLE_RETURN_IF_ERROR(CheckEmbeds(engine()));
  THIMBLE_ASSIGN_OR_RETURN(const std::size_t dimensions, ResolveDimensions(info(), options.dimensions));
  if (vectors.size() / dimensions != texts.size() || vectors.size() % dimensions != 0) {
    return Error(Code::kInvalidArgument, "vectors: expected ", texts.size(), " x ", dimensions, " floats, found ",
                 vectors.size());
  }
  if (!reports.empty() && reports.size() != texts.size()) {
    return Error(Code::kInvalidArgument, "reports: expected none or ", texts.size(), ", found ", reports.size());
  }
  THIMBLE_ASSIGN_OR_RETURN(const std::string_view prompt, FindPrompt(info(), options.prompt_name));
  if (!options.pooling && info().pooling.empty()) {
    return Error(Code::kInvalidArgument, info().name, " does not state its pooling; set `pooling` to mean, cls, last, ",
                 "max, mean_sqrt_len_tokens or weightedmean");
  }
  if (options.pooling && info().pooling.size() > 1) {
    return Error(Code::kInvalidArgument, "`pooling`: ", info().name, " always combines ", PoolingNames(info().pooling),
                 ", found ", PoolingName(*options.pooling), "; leave `pooling` out");
  }
  return Batch{.texts = texts,
               .vectors = vectors.data(),
               .dimensions = dimensions,
               .reports = reports,
               .pooling = options.pooling ? std::span<const Pooling>(&*options.pooling, 1) : info().pooling,
               .normalize = options.normalize.value_or(info().normalize),
               .prompt = prompt,
               .long_texts = options.long_texts,
               .chunk_overlap = options.chunk_overlap,
               .first_index = options.first_index,
               .stop = options.stop};
}

Status Session::EmbedBatch(std::span<const std::string_view> texts, std::span<float> vectors, std::span<Report> reports,
                           const VectorOptions& options) {
  return Call([&](Workers&) -> Status {
    THIMBLE_ASSIGN_OR_RETURN(const Batch batch, BatchOf(texts, vectors, reports, options));
    return Watched([&] { return Run(batch); });
  });
}

Result<Report> Session::EmbedTokens(std::string_view text, std::span<float> vectors, const std::atomic<bool>* stop) {
  return Call([&](Workers& workers) -> Result<Report> {
    THIMBLE_RETURN_IF_ERROR(CheckEmbeds(engine()));
    const std::size_t width = info().token_dimensions;
    if (vectors.size() < plan().max_tokens * width) {
      return Error(Code::kInvalidArgument, "vectors: expected at least ", plan().max_tokens, " x ", width,
                   " floats, found ", vectors.size());
    }
    return Watched([&] { return workers.EmbedTokens(text, vectors.data(), stop); });
  });
}

Status Session::EmbedIds(std::span<const std::int32_t> ids, std::span<float> vectors, const std::atomic<bool>* stop) {
  return Call([&](Workers& workers) -> Status {
    THIMBLE_RETURN_IF_ERROR(CheckEmbeds(engine()));
    const std::size_t width = info().token_dimensions;
    if (vectors.size() / width != ids.size() || vectors.size() % width != 0) {
      return Error(Code::kInvalidArgument, "vectors: expected ", ids.size(), " x ", width, " floats, found ",
                   vectors.size());
    }
    if (ids.empty() || ids.size() > plan().max_tokens) {
      return Error(Code::kInvalidArgument, "ids: expected 1 to ", plan().max_tokens, ", found ", ids.size(),
                   "; truncate longer sequences");
    }
    THIMBLE_RETURN_IF_ERROR(CheckIds(info(), ids));
    return Watched([&] { return workers.EmbedIds(ids, vectors.data(), stop); });
  });
}

void Session::Release() {
  (void)Call([](Workers& workers) {
    workers.Release();
    return Status();
  });
}

Status Session::Run(const Batch& batch) {
  const std::size_t texts = batch.texts.size(), workers = workers_->team().size();
  // Whole texts need no waiting for each other, but a few of them may leave a worker without any.
  if (texts < kTextsPerWorker * workers) return workers_->EmbedTogether(batch);
  // Each run ends with a tile that is not full, so that one worker has one run. Several take runs, short enough that
  // none is left alone with the rest at the end.
  const std::size_t run = workers == 1 ? texts : std::clamp<std::size_t>(texts / (4 * workers), 1, 64);
  std::mutex mutex;
  std::size_t next = 0;
  Status failure;  // That of the first text that has one.
  std::size_t failed = texts;
  workers_->team().Run([&](std::size_t member) {
    for (;;) {
      std::size_t begin, end;
      {
        std::lock_guard lock(mutex);
        begin = next;
        end = next = std::min(next + run, texts);
      }
      if (begin == end) return;
      Status status = base::Guarded([&] { return workers_->Embed(member, batch, begin, end); });
      if (status.ok()) continue;
      std::lock_guard lock(mutex);
      if (begin < failed) {
        failure = std::move(status);
        failed = begin;
      }
      next = texts;
    }
  });
  return failure;
}

}  // namespace thimble::runtime

namespace thimble::inline v0_1 {

Embedder::Embedder(std::unique_ptr<runtime::Session> session) : session_(std::move(session)) {}
Embedder::Embedder(Embedder&&) noexcept = default;
Embedder& Embedder::operator=(Embedder&&) noexcept = default;
Embedder::~Embedder() = default;

Result<Plan> Embedder::MakePlan(const Model& model, const EmbedderOptions& options) {
  return base::Guarded([&] {
    return runtime::PlanTile(model.engine(), options, options.max_memory == 0 ? runtime::kNoLimit : options.max_memory);
  });
}

Result<Embedder> Embedder::Create(std::shared_ptr<const Model> model, const EmbedderOptions& options) {
  return base::Guarded([&]() -> Result<Embedder> {
    if (model == nullptr) return Error(Code::kInvalidArgument, "Embedder::Create: the model is null");
    THIMBLE_RETURN_IF_ERROR(runtime::CheckEmbeds(model->engine()));
    THIMBLE_ASSIGN_OR_RETURN(std::unique_ptr<runtime::Session> session,
                             runtime::Session::Create(std::move(model), options));
    return Embedder(std::move(session));
  });
}

Result<Report> Embedder::Embed(std::string_view text, std::span<float> vector, const VectorOptions& options) {
  Report report;
  Status status = EmbedBatch({&text, 1}, vector, {&report, 1}, options);
  if (!status.ok()) return status;
  return report;
}

Status Embedder::EmbedBatch(std::span<const std::string_view> texts, std::span<float> vectors,
                            std::span<Report> reports, const VectorOptions& options) {
  return session_->EmbedBatch(texts, vectors, reports, options);
}

Result<Report> Embedder::EmbedTokens(std::string_view text, std::span<float> vectors, const std::atomic<bool>* stop) {
  return session_->EmbedTokens(text, vectors, stop);
}

Status Embedder::EmbedIds(std::span<const std::int32_t> ids, std::span<float> vectors, const std::atomic<bool>* stop) {
  return session_->EmbedIds(ids, vectors, stop);
}

void Embedder::Release() { session_->Release(); }

std::size_t Embedder::dimensions() const { return session_->model().dimensions(); }
const Plan& Embedder::plan() const { return session_->plan(); }

}  // namespace thimble::inline v0_1
