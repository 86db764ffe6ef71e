// Memory that requests hold while they wait: a share of a pool's budget.

#ifndef THIMBLE_SERVER_QUEUE_BUDGET_H_
#define THIMBLE_SERVER_QUEUE_BUDGET_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <utility>

#include "base/error.h"
#include "thimble/pool.h"

namespace thimble::server {

// Thread-safe. Never waits.
class QueueBudget {
 public:
  // Given back on destruction. Move-only.
  class Hold {
   public:
    Hold(Hold&&) noexcept = default;
    Hold& operator=(Hold&&) noexcept = default;

   private:
    friend class QueueBudget;
    struct Share {
      Share(std::shared_ptr<std::atomic<std::size_t>> account, std::size_t size)
          : used(std::move(account)), bytes(size) {}
      Share(const Share&) = delete;
      Share& operator=(const Share&) = delete;
      ~Share() { *used -= bytes; }
      std::shared_ptr<std::atomic<std::size_t>> used;
      std::size_t bytes;
    };
    Hold(std::unique_ptr<Share> share, Reservation reservation)
        : share_(std::move(share)), reservation_(std::move(reservation)) {}
    std::unique_ptr<Share> share_;
    Reservation reservation_;
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
    auto share = std::make_unique<Hold::Share>(used_, bytes);
    Result<Reservation> reservation = pool_.Reserve(bytes, std::chrono::milliseconds(0));
    if (!reservation.ok()) {
      return Error(reservation.status().code(), "no memory of the budget is free for the request's ", bytes, " bytes");
    }
    return Hold(std::move(share), *std::move(reservation));
  }

  std::size_t used() const { return *used_; }
  std::size_t limit() const { return limit_; }

 private:
  ModelPool& pool_;
  const std::size_t limit_;
  std::shared_ptr<std::atomic<std::size_t>> used_;
};

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_QUEUE_BUDGET_H_
