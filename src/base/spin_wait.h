// Waiting for another thread that is about to be done: awake for a moment, then asleep.

#ifndef THIMBLE_BASE_SPIN_WAIT_H_
#define THIMBLE_BASE_SPIN_WAIT_H_

#include <atomic>

namespace thimble::inline v0_1 {

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

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_BASE_SPIN_WAIT_H_
