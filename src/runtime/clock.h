// The time, so that tests can set it.

#ifndef THIMBLE_RUNTIME_CLOCK_H_
#define THIMBLE_RUNTIME_CLOCK_H_

#include <chrono>
#include <condition_variable>
#include <mutex>

namespace thimble::runtime {

// Thread-safe.
class Clock {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr Time kNever = Time::max();

  virtual ~Clock() = default;
  virtual Time Now() = 0;
  // Waits, as std::condition_variable does, until `changed` is notified or the time has come; may return early.
  virtual void WaitUntil(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, Time time) = 0;
};

class SteadyClock final : public Clock {
 public:
  Time Now() override { return std::chrono::steady_clock::now(); }
  void WaitUntil(std::condition_variable& changed, std::unique_lock<std::mutex>& lock, Time time) override {
    if (time == kNever) {
      changed.wait(lock);
    } else {
      changed.wait_until(lock, time);
    }
  }
};

}  // namespace thimble::runtime

#endif  // THIMBLE_RUNTIME_CLOCK_H_
