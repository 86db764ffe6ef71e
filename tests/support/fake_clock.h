// A clock that a test sets.

#ifndef THIMBLE_TESTS_FAKE_CLOCK_H_
#define THIMBLE_TESTS_FAKE_CLOCK_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <vector>

#include "runtime/clock.h"

namespace thimble::test {

// Stands still until Advance. Thread-safe.
class FakeClock final : public runtime::Clock {
 public:
  Time Now() override {
    std::lock_guard guard(mutex_);
    return now_;
  }
  void WaitUntil(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, Time time) override {
    {
      std::lock_guard guard(mutex_);
      if (time <= now_) return;
      waiters_.push_back({&changed, lock.mutex()});
      ++waits_;
      arrived_.notify_all();
    }
    changed.wait(lock);
    std::lock_guard guard(mutex_);
    std::erase_if(waiters_, [&](const Waiter& waiter) { return waiter.changed == &changed; });
  }
  // Moves the time, wakes whoever waits for it, and waits until the pool's thread waits again.
  void Advance(std::chrono::milliseconds time) {
    std::vector<Waiter> waiters;
    std::uint64_t before;
    {
      std::lock_guard guard(mutex_);
      now_ += time;
      waiters = waiters_;
      before = waits_;
    }
    for (const Waiter& waiter : waiters) {
      // With the waiter's lock, so that it is either waiting already or will see the new time.
      std::lock_guard guard(*waiter.mutex);
      waiter.changed->notify_all();
    }
    AwaitWaits(before + 1);
  }
  void AwaitWaits(std::uint64_t count) {
    std::unique_lock guard(mutex_);
    arrived_.wait(guard, [&] { return waits_ >= count; });
  }

 private:
  struct Waiter {
    std::condition_variable* changed;
    std::mutex* mutex;
  };
  std::mutex mutex_;
  std::condition_variable arrived_;
  Time now_ = Time(std::chrono::seconds(1000));
  std::vector<Waiter> waiters_;
  std::uint64_t waits_ = 0;
};

}  // namespace thimble::test

#endif  // THIMBLE_TESTS_FAKE_CLOCK_H_
