// Work in steps that several threads do together, each step in parts; and waiting for another thread that is about to
// be done: awake for a moment, then asleep.

#ifndef THIMBLE_BASE_STEPS_H_
#define THIMBLE_BASE_STEPS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace thimble::base {

// Returns when `value` is no longer `old`. Whoever changes it calls notify_all() on it.
template <typename T>
void WaitWhile(const std::atomic<T>& value, T old) {
  // About 30 microseconds: what a sleep and a wake-up cost together.
  constexpr int kSpins = 1500;
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) return;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("isb");
#endif
  }
  value.wait(old, std::memory_order_acquire);
}

// Steps 0 to `count`, one after the other; the parts of a step in any order, at the same time. A thread takes the parts
// that nobody has taken, so that one that comes late, or that the system holds up between two parts, is not waited for.
class Steps {
 public:
  explicit Steps(std::size_t count) : count_(count) {}

  // Called by each of the threads: takes part until all is done. parts(step), at least 1 and the same for every thread,
  // is how many parts a step has; work(step, part) does one. What a step wrote, the next one sees.
  template <typename Parts, typename Work>
  void Run(Parts parts, Work work) {
    for (;;) {
      std::uint64_t next = next_.load(std::memory_order_acquire);
      const std::size_t step = next >> 32, part = next & 0xffffffff;
      if (step == count_) return;
      const std::size_t total = parts(step);
      if (part == total) {
        WaitWhile(next_, next);
      } else if (next_.compare_exchange_weak(next, next + 1, std::memory_order_acq_rel)) {
        work(step, part);
        if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 < total) continue;
        done_.store(0, std::memory_order_relaxed);
        next_.store(std::uint64_t{step + 1} << 32, std::memory_order_release);
        next_.notify_all();
      }
    }
  }

 private:
  const std::size_t count_;
  std::atomic<std::uint64_t> next_ = 0;  // The step, and behind its 32 bits the next part of it.
  std::atomic<std::size_t> done_ = 0;    // Parts of the step.
};

}  // namespace thimble::base

#endif  // THIMBLE_BASE_STEPS_H_
