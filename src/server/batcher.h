// Requests that wait, the memory that they hold, and the batches that are made of them when a thread comes free.

#ifndef THIMBLE_SERVER_BATCHER_H_
#define THIMBLE_SERVER_BATCHER_H_

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "runtime/executor.h"
#include "server/catalogue.h"
#include "thimble/embedder.h"
#include "thimble/pool.h"

namespace thimble::server {

// A job that calls a function, which does not throw.
class CallJob final : public runtime::Job {
 public:
  explicit CallJob(std::function<void()> call) : call_(std::move(call)) {}
  void Run() override { call_(); }

 private:
  const std::function<void()> call_;
};

// Texts of one request. Its results are valid once `done` is called, which happens once, on any thread.
struct EmbedWork {
  const ServedModel* model = nullptr;
  VectorOptions options = {};
  std::vector<std::string> texts = {};
  std::function<void()> done = {};

  Status status = {};
  std::vector<float> vectors = {};  // [texts][dimensions]
  std::vector<Report> reports = {};
  std::chrono::nanoseconds load = {};    // Spent on the model.
  std::chrono::nanoseconds waited = {};  // Before its first text was taken.

 private:
  friend class Batcher;
  std::chrono::steady_clock::time_point queued_;
  std::size_t next_ = 0;     // The first text that nobody has taken.
  std::size_t at_work_ = 0;  // Batches that have some of its texts.
  bool over_ = false;        // Failed or cancelled: no more texts are taken.
};

// Thread-safe. A batch has texts of one model and equal options: of the request that has waited longest, and of others
// behind it while there is room. A request with texts left goes behind those that wait, so that a long one delays
// nobody for longer than a batch, and several threads may work at it. What waits is shared among the threads.
class Batcher {
 public:
  // Embeds the texts into vectors [texts][dimensions] and adds the time that it took to get the model to `load`.
  using Embed = std::function<Status(const ServedModel& model, std::span<const std::string_view> texts,
                                     const VectorOptions& options, std::span<float> vectors, std::span<Report> reports,
                                     std::chrono::nanoseconds& load)>;
  struct Limits {
    std::size_t texts = 64;
    std::size_t bytes = 32 << 10;  // Of texts; one alone may have more.
    std::size_t threads = 1;       // Batches at work at the same time; 0 leaves RunOne to the caller.
  };

  // The executor must be destroyed first, when nothing waits.
  Batcher(Embed embed, runtime::Executor& executor, const Limits& limits);

  // `work` has at least one text. kOverloaded when there is no thread, or an exception when memory is exhausted; `done`
  // is then not called.
  Status Submit(const std::shared_ptr<EmbedWork>& work);
  // Takes no more texts of it: it ends with kOverloaded, at once unless a batch has some.
  void Cancel(const std::shared_ptr<EmbedWork>& work);

  // Embeds one batch on this thread; false when nothing waits.
  bool RunOne();

  struct Stats {
    std::size_t requests = 0;  // That wait.
    std::size_t texts = 0;     // Theirs that wait.
    std::uint64_t batches = 0;
    std::uint64_t batch_texts = 0;
    double seconds_left = 0;  // That the waiting texts will take, as far as measured.
  };
  Stats stats() const;

 private:
  struct Part {
    std::shared_ptr<EmbedWork> work;
    std::size_t begin, end;
    Status status = {};
    bool is_last = false;  // Of its work, which is then done.
  };

  // Both with the mutex held.
  std::vector<Part> TakeBatch();
  void TakeTexts(const std::shared_ptr<EmbedWork>& work, std::size_t most, std::vector<Part>& parts, std::size_t& texts,
                 std::size_t& bytes);
  Status EmbedParts(std::span<const Part> parts, std::chrono::nanoseconds& load);
  // Books the end of a part.
  void Finish(Part& part);
  // Has a thread embed batches while there are any.
  Status StartRunner();
  // Hands on to the next runner, so that others get their turn; true where this one has to go on, or nobody would.
  bool GoOn();

  const Embed embed_;
  runtime::Executor& executor_;
  const Limits limits_;
  mutable std::mutex mutex_;
  std::deque<std::shared_ptr<EmbedWork>> queue_;
  std::size_t runners_ = 0;
  std::size_t waiting_texts_ = 0;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t batches_ = 0;
  std::uint64_t batch_texts_ = 0;
  double seconds_per_byte_ = 0;
};

// Memory that requests hold while they wait: a share of a pool's budget. Thread-safe. Never waits.
class QueueBudget {
 public:
  // Given back on destruction. Move-only.
  struct Hold {
    std::shared_ptr<void> share;  // Which has nothing but an end.
    Reservation reservation;
  };

  // The pool must outlive every hold.
  QueueBudget(ModelPool& pool, std::size_t limit)
      : pool_(pool), limit_(limit), used_(std::make_shared<std::atomic<std::size_t>>(0)) {}

  // kOutOfMemory when `bytes` are more than the limit, kOverloaded when they are not free now.
  Result<Hold> Take(std::size_t bytes) {
    if (bytes > limit_) {
      return Error(Code::kOutOfMemory, "the request needs ", bytes, " bytes of memory, but only ", limit_,
                   " are allowed for all that wait");
    }
    if (used_->fetch_add(bytes) + bytes > limit_) {
      *used_ -= bytes;
      return Error(Code::kOverloaded, "the queue is full: ", limit_, " bytes of waiting requests");
    }
    std::shared_ptr<void> share(nullptr, [account = used_, bytes](void*) { *account -= bytes; });
    Result<Reservation> reservation = pool_.Reserve(bytes, std::chrono::milliseconds(0));
    if (!reservation.ok()) {
      return Error(reservation.status().code(), "no memory of the budget is free for the request's ", bytes, " bytes");
    }
    return Hold{std::move(share), *std::move(reservation)};
  }

  std::size_t used() const { return *used_; }
  std::size_t limit() const { return limit_; }

 private:
  ModelPool& pool_;
  const std::size_t limit_;
  std::shared_ptr<std::atomic<std::size_t>> used_;
};

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_BATCHER_H_
