// What stands behind an Embedder, a Reranker and a slot of a pool: a model, its workers, and the call in hand.

#ifndef THIMBLE_RUNTIME_SESSION_H_
#define THIMBLE_RUNTIME_SESSION_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/fork.h"
#include "base/guard.h"
#include "runtime/engine.h"
#include "thimble/embedder.h"
#include "thimble/rerank.h"

namespace thimble::runtime {

// Thread-compatible, as Embedder and Reranker are; their functions of the same names say what these do.
class Session {
 public:
  static Result<std::unique_ptr<Session>> Create(std::shared_ptr<const Model> model, const EmbedderOptions& options);
  // `cache` is that of the workers, or null.
  Session(std::shared_ptr<const Model> model, std::shared_ptr<ExactCache> cache, const Plan& plan,
          std::unique_ptr<Workers> workers)
      : model_(std::move(model)), cache_(std::move(cache)), plan_(plan), workers_(std::move(workers)) {}

  const Model& model() const { return *model_; }
  const ModelInfo& info() const { return model_->info(); }
  const Plan& plan() const { return plan_; }

  Status EmbedBatch(std::span<const std::string_view> texts, std::span<float> vectors, std::span<Report> reports,
                    const VectorOptions& options);
  Result<Report> EmbedTokens(std::string_view text, std::span<float> vectors, const std::atomic<bool>* stop);
  Status EmbedIds(std::span<const std::int32_t> ids, std::span<float> vectors, const std::atomic<bool>* stop);
  Status Rank(std::string_view query, std::span<const std::string_view> documents, std::span<float> scores,
              std::span<Report> reports, const RankOptions& options);
  void Release();

 private:
  // What work(workers) comes to, in a call of its own, of which a session has one at a time. A call that another
  // process was in when this one was forked from it does not count.
  template <typename Work>
  auto Call(Work&& work) -> decltype(work(std::declval<Workers&>())) {
    const std::uint32_t mine = base::ForkNumber() + 1;
    const bool busy = caller_.exchange(mine, std::memory_order_acquire) == mine;
    struct End {
      std::atomic<std::uint32_t>* caller;
      ~End() {
        if (caller != nullptr) caller->store(0, std::memory_order_release);
      }
    } const end{busy ? nullptr : &caller_};
    return base::Guarded([&]() -> decltype(work(*workers_)) {
      if (!busy) return work(*workers_);
      return Error(Code::kInvalidArgument, "this ", engine().embeds() ? "Embedder" : "Reranker",
                   " is in a call of another thread; use one for each thread, or leases of a ModelPool");
    });
  }

  // What embed() comes to. A file that was changed before is not touched; if it was changed meanwhile, that explains
  // any failure and spoils any success.
  template <typename Embed>
  auto Watched(Embed&& embed) -> decltype(embed()) {
    THIMBLE_RETURN_IF_ERROR(engine().CheckFile());
    auto result = base::Guarded(embed);
    THIMBLE_RETURN_IF_ERROR(engine().CheckFile());
    return result;
  }

  const Engine& engine() const { return model_->engine(); }
  Result<Batch> BatchOf(std::span<const std::string_view> texts, std::span<float> vectors, std::span<Report> reports,
                        const VectorOptions& options) const;
  // Shares the batch among the workers.
  Status Run(const Batch& batch);

  const std::shared_ptr<const Model> model_;
  const std::shared_ptr<ExactCache> cache_;
  const Plan plan_;
  const std::unique_ptr<Workers> workers_;
  std::atomic<std::uint32_t> caller_ = 0;  // 0, or during a call ForkNumber() + 1.
};

// kUnsupported for a model that takes pairs of texts, and for one that does not; they say what to use instead.
Status CheckEmbeds(const Engine& engine);
Status CheckRanks(const Engine& engine);

}  // namespace thimble::runtime

#endif  // THIMBLE_RUNTIME_SESSION_H_
