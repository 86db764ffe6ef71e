// Hands things from one thread to another.

#ifndef THIMBLE_BULK_CHANNEL_H_
#define THIMBLE_BULK_CHANNEL_H_

#include <array>
#include <condition_variable>
#include <cstddef>
#include <mutex>

namespace thimble::bulk {

// Thread-safe. Whoever uses it has no more than kCapacity things to hand on.
template <typename T>
class Channel {
 public:
  static constexpr std::size_t kCapacity = 8;

  void Push(T* thing) {
    const std::lock_guard lock(mutex_);
    things_[(first_ + count_++) % kCapacity] = thing;
    changed_.notify_one();
  }
  // Waits. Null once it is closed.
  T* Pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ > 0 || closed_; });
    if (closed_) return nullptr;
    T* thing = things_[first_ % kCapacity];
    ++first_;
    --count_;
    return thing;
  }
  void Close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::array<T*, kCapacity> things_ = {};
  std::size_t first_ = 0, count_ = 0;
  bool closed_ = false;
};

}  // namespace thimble::bulk

#endif  // THIMBLE_BULK_CHANNEL_H_
