// Embedder: a plan, then a team of workers that take texts in turn.

#include "thimble/embedder.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/fork.h"
#include "base/guard.h"
#include "base/thread_team.h"
#include "runtime/engine.h"
#include "runtime/plan.h"

namespace thimble::inline v0_1 {
namespace {

constexpr std::size_t kTextsPerWorker = 2;

}  // namespace

struct Embedder::Impl {
  std::shared_ptr<const Model> model;
  Plan plan;
  std::vector<std::unique_ptr<Worker>> workers;
  ThreadTeam team;
  std::atomic<std::uint32_t> caller = 0;  // 0, or during a call ForkNumber() + 1.

  WorkerTeam AllWorkers() { return {team, workers}; }

  // What work() comes to. A file that was changed before is not touched; if it was changed meanwhile, that explains any
  // failure and spoils any success.
  template <typename Work>
  Status Watched(Work&& work) {
    return Guarded([&]() -> Status {
      THIMBLE_RETURN_IF_ERROR(model->impl().CheckFile());
      Status status = Guarded(work);
      THIMBLE_RETURN_IF_ERROR(model->impl().CheckFile());
      return status;
    });
  }
};

namespace {

// The length of a call, of which an embedder has one at a time. A call that another process was in when this one was
// forked from it does not count.
class Turn {
 public:
  explicit Turn(std::atomic<std::uint32_t>& caller) : caller_(caller) {
    const std::uint32_t mine = ForkNumber() + 1;
    ok_ = caller.exchange(mine, std::memory_order_acquire) != mine;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (ok_) caller_.store(0, std::memory_order_release);
  }
  bool ok() const { return ok_; }
  static Status Refusal() {
    return Guarded([] {
      return Error(Code::kInvalidArgument, "this Embedder is in a call of another thread; use one for each thread, or ",
                   "leases of a ModelPool");
    });
  }

 private:
  std::atomic<std::uint32_t>& caller_;
  bool ok_;
};

}  // namespace

Embedder::Embedder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Embedder::Embedder(Embedder&&) noexcept = default;
Embedder& Embedder::operator=(Embedder&&) noexcept = default;
Embedder::~Embedder() = default;

Result<Plan> Embedder::MakePlan(const Model& model, const EmbedderOptions& options) {
  return Guarded(
      [&] { return PlanTile(model.impl(), options, options.max_memory == 0 ? kNoLimit : options.max_memory); });
}

Result<Embedder> Embedder::Create(std::shared_ptr<const Model> model, const EmbedderOptions& options) {
  return Guarded([&]() -> Result<Embedder> {
    if (model == nullptr) return Error(Code::kInvalidArgument, "Embedder::Create: the model is null");
    THIMBLE_ASSIGN_OR_RETURN(Plan plan, MakePlan(*model, options));
    ThreadTeam team = ThreadTeam::Create(plan.threads);
    if (team.size() < plan.threads) {
      EmbedderOptions granted = options;
      granted.threads = team.size();
      THIMBLE_ASSIGN_OR_RETURN(plan, MakePlan(*model, granted));
    }
    const WorkerOptions worker_options = {
        .max_tokens = plan.max_tokens, .tile_tokens = plan.tile_tokens, .truncation = options.truncation};
    std::vector<std::unique_ptr<Worker>> workers;
    workers.reserve(plan.threads);
    for (std::size_t i = 0; i < plan.threads; ++i) {
      THIMBLE_ASSIGN_OR_RETURN(std::unique_ptr<Worker> worker, model->impl().CreateWorker(worker_options));
      workers.push_back(std::move(worker));
    }
    return Embedder(std::unique_ptr<Impl>(new Impl{std::move(model), plan, std::move(workers), std::move(team)}));
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
  const Turn turn(impl_->caller);
  if (!turn.ok()) return Turn::Refusal();
  if (vectors.size() / dimensions() != texts.size() || vectors.size() % dimensions() != 0) {
    return Guarded([&] {
      return Error(Code::kInvalidArgument, "vectors: expected ", texts.size(), " x ", dimensions(), " floats, found ",
                   vectors.size());
    });
  }
  if (!reports.empty() && reports.size() != texts.size()) {
    return Guarded([&] {
      return Error(Code::kInvalidArgument, "reports: expected none or ", texts.size(), ", found ", reports.size());
    });
  }
  const ModelInfo& info = impl_->model->info();
  const Result<std::string_view> prompt =
      Guarded([&]() -> Result<std::string_view> { return FindPrompt(info, options.prompt_name); });
  if (!prompt.ok()) return prompt.status();
  if (!options.pooling && info.pooling.empty()) {
    return Guarded([&] {
      return Error(Code::kInvalidArgument, info.name, " does not state its pooling; set `pooling` to mean, cls, last, ",
                   "max, mean_sqrt_len_tokens or weightedmean");
    });
  }
  if (options.pooling && info.pooling.size() > 1) {
    return Guarded([&] {
      return Error(Code::kInvalidArgument, "`pooling`: ", info.name, " always combines ", PoolingNames(info.pooling),
                   ", found ", PoolingName(*options.pooling), "; leave `pooling` out");
    });
  }
  const Batch batch = {.texts = texts,
                       .vectors = vectors.data(),
                       .reports = reports,
                       .pooling = options.pooling ? std::span<const Pooling>(&*options.pooling, 1) : info.pooling,
                       .normalize = options.normalize.value_or(info.normalize),
                       .prompt = *prompt,
                       .long_texts = options.long_texts,
                       .chunk_overlap = options.chunk_overlap,
                       .first_index = options.first_index};
  // Whole texts need no waiting for each other, but a few of them may leave a worker without any.
  if (texts.size() < kTextsPerWorker * impl_->workers.size()) {
    return impl_->Watched([&] { return impl_->workers[0]->EmbedTogether(batch, impl_->AllWorkers()); });
  }
  // Each run ends with a tile that is not full, so that one worker has one run. Several take runs, short enough that
  // none is left alone with the rest at the end.
  const std::size_t workers = impl_->workers.size();
  const std::size_t run = workers == 1 ? texts.size() : std::clamp<std::size_t>(texts.size() / (4 * workers), 1, 64);
  std::mutex mutex;
  std::size_t next = 0;
  Status failure;  // That of the first text that has one.
  std::size_t failed = texts.size();
  auto take_runs = [&](std::size_t member) {
    for (;;) {
      std::size_t begin, end;
      {
        std::lock_guard lock(mutex);
        begin = next;
        end = next = std::min(next + run, texts.size());
      }
      if (begin == end) return;
      Status status = Guarded([&] { return impl_->workers[member]->Embed(batch, begin, end); });
      if (status.ok()) continue;
      std::lock_guard lock(mutex);
      if (begin < failed) {
        failure = std::move(status);
        failed = begin;
      }
      next = texts.size();
    }
  };
  return impl_->Watched([&] {
    impl_->team.Run(take_runs);
    return std::move(failure);
  });
}

Result<Report> Embedder::EmbedTokens(std::string_view text, std::span<float> vectors) {
  const Turn turn(impl_->caller);
  if (!turn.ok()) return Turn::Refusal();
  return Guarded([&]() -> Result<Report> {
    const std::size_t width = impl_->model->info().token_dimensions;
    if (vectors.size() < plan().max_tokens * width) {
      return Error(Code::kInvalidArgument, "vectors: expected at least ", plan().max_tokens, " x ", width,
                   " floats, found ", vectors.size());
    }
    Report report;
    THIMBLE_RETURN_IF_ERROR(impl_->Watched([&]() -> Status {
      THIMBLE_ASSIGN_OR_RETURN(report, impl_->workers[0]->EmbedTokens(text, vectors.data(), impl_->AllWorkers()));
      return Status();
    }));
    return report;
  });
}

Status Embedder::EmbedIds(std::span<const std::int32_t> ids, std::span<float> vectors) {
  const Turn turn(impl_->caller);
  if (!turn.ok()) return Turn::Refusal();
  return Guarded([&]() -> Status {
    const ModelInfo& info = impl_->model->info();
    if (vectors.size() / info.token_dimensions != ids.size() || vectors.size() % info.token_dimensions != 0) {
      return Error(Code::kInvalidArgument, "vectors: expected ", ids.size(), " x ", info.token_dimensions,
                   " floats, found ", vectors.size());
    }
    if (ids.empty() || ids.size() > plan().max_tokens) {
      return Error(Code::kInvalidArgument, "ids: expected 1 to ", plan().max_tokens, ", found ", ids.size(),
                   "; truncate longer sequences");
    }
    THIMBLE_RETURN_IF_ERROR(CheckIds(info, ids));
    return impl_->Watched([&] { return impl_->workers[0]->EmbedIds(ids, vectors.data(), impl_->AllWorkers()); });
  });
}

void Embedder::Release() {
  const Turn turn(impl_->caller);
  if (!turn.ok()) return;
  for (const std::unique_ptr<Worker>& worker : impl_->workers) worker->Release();
}

std::size_t Embedder::dimensions() const { return impl_->model->dimensions(); }
const Plan& Embedder::plan() const { return impl_->plan; }

}  // namespace thimble::inline v0_1
