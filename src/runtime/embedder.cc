// Embedder: options checked once, then a team of workers that take texts in turn.

#include "thimble/embedder.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/thread_team.h"
#include "runtime/model_impl.h"
#include "runtime/worker.h"

namespace thimble {
namespace {

constexpr std::size_t kMaxThreads = 64;
// Rows of a tile unless memory is short or texts are longer: matrix products run at full speed from 16 rows, and more
// than this would only cost memory.
constexpr std::size_t kTileTokens = 256;

// The largest tile whose scratch fits `allowed` bytes for each of `threads`; 0 means no limit.
Result<TileShape> ChooseTile(const Weights& weights, const kernels::Kernels& kernels, std::size_t longest,
                             std::size_t threads, std::size_t allowed) {
  TileShape shape = {.tokens = std::max(longest, kTileTokens), .longest = longest};
  if (allowed == 0) return shape;
  const TileShape smallest = {.tokens = longest, .longest = longest};
  const std::size_t needed = threads * Worker::ScratchBytes(weights, kernels, smallest);
  if (needed > allowed) {
    return Error(Code::kOutOfMemory, "max_memory: ", threads, " threads with texts of ", longest, " tokens need ",
                 needed, " bytes, allowed are ", allowed);
  }
  while (shape.tokens > longest && threads * Worker::ScratchBytes(weights, kernels, shape) > allowed) {
    shape.tokens = std::max(longest, shape.tokens - 8);
  }
  return shape;
}

}  // namespace

struct Embedder::Impl {
  std::shared_ptr<const Model> model;
  const kernels::Kernels* kernels;
  std::size_t scratch_bytes;
  std::vector<Worker> workers;
  ThreadTeam team;
};

Embedder::Embedder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Embedder::Embedder(Embedder&&) noexcept = default;
Embedder& Embedder::operator=(Embedder&&) noexcept = default;
Embedder::~Embedder() = default;

Result<Embedder> Embedder::Create(std::shared_ptr<const Model> model, const EmbedderOptions& options) {
  if (model == nullptr) return Error(Code::kInvalidArgument, "Embedder::Create: the model is null");
  if (options.threads < 1 || options.threads > kMaxThreads) {
    return Error(Code::kInvalidArgument, "threads: expected 1 to ", kMaxThreads, ", found ", options.threads);
  }
  THIMBLE_ASSIGN_OR_RETURN(const kernels::Kernels* kernels, kernels::ChooseKernels());
  const Weights& weights = model->impl().weights;
  THIMBLE_ASSIGN_OR_RETURN(std::size_t longest, ResolveMaxTokens(weights, options.max_tokens));
  THIMBLE_ASSIGN_OR_RETURN(TileShape shape,
                           ChooseTile(weights, *kernels, longest, options.threads, options.max_memory));
  Worker::Options worker_options = {.shape = shape,
                                    .pooling = options.pooling.value_or(weights.info.pooling),
                                    .normalize = options.normalize.value_or(weights.info.normalize)};
  std::vector<Worker> workers;
  workers.reserve(options.threads);
  for (std::size_t i = 0; i < options.threads; ++i) {
    THIMBLE_ASSIGN_OR_RETURN(Worker worker, Worker::Create(weights, *kernels, worker_options));
    workers.push_back(std::move(worker));
  }
  THIMBLE_ASSIGN_OR_RETURN(ThreadTeam team, ThreadTeam::Create(options.threads));
  std::size_t scratch_bytes = options.threads * Worker::ScratchBytes(weights, *kernels, shape);
  return Embedder(
      std::unique_ptr<Impl>(new Impl{std::move(model), kernels, scratch_bytes, std::move(workers), std::move(team)}));
}

Result<Report> Embedder::Embed(std::string_view text, std::span<float> vector) {
  Report report;
  Status status = EmbedBatch({&text, 1}, vector, {&report, 1});
  if (!status.ok()) return status;
  return report;
}

Status Embedder::EmbedBatch(std::span<const std::string_view> texts, std::span<float> vectors,
                            std::span<Report> reports) {
  if (vectors.size() / dimensions() != texts.size() || vectors.size() % dimensions() != 0) {
    return Error(Code::kInvalidArgument, "vectors: expected ", texts.size(), " x ", dimensions(), " floats, found ",
                 vectors.size());
  }
  if (!reports.empty() && reports.size() != texts.size()) {
    return Error(Code::kInvalidArgument, "reports: expected none or ", texts.size(), ", found ", reports.size());
  }
  Batch batch = {.texts = texts, .vectors = vectors.data(), .reports = reports};
  if (impl_->workers.size() == 1 || texts.size() <= 1) {
    impl_->workers[0].Embed(batch, 0, texts.size());
    return Status();
  }
  // Workers take runs of texts, short enough that none is left alone with the rest at the end.
  const std::size_t run = std::clamp<std::size_t>(texts.size() / (4 * impl_->workers.size()), 1, 64);
  std::mutex mutex;
  std::size_t next = 0;
  impl_->team.Run([&](std::size_t member) {
    for (;;) {
      std::size_t begin, end;
      {
        std::lock_guard lock(mutex);
        begin = next;
        end = next = std::min(next + run, texts.size());
      }
      if (begin == end) return;
      impl_->workers[member].Embed(batch, begin, end);
    }
  });
  return Status();
}

std::size_t Embedder::dimensions() const { return impl_->model->dimensions(); }
std::size_t Embedder::scratch_bytes() const { return impl_->scratch_bytes; }
std::string_view Embedder::isa() const { return impl_->kernels->name; }

}  // namespace thimble
