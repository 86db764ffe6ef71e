// Coroutines that run on their own.

#ifndef THIMBLE_SERVER_TASK_H_
#define THIMBLE_SERVER_TASK_H_

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

namespace thimble::server {

// Calls a function at the end of its own life.
template <typename Function>
class AtEnd {
 public:
  explicit AtEnd(Function function) : function_(std::move(function)) {}
  AtEnd(AtEnd&& other) noexcept : function_(std::move(other.function_)), armed_(std::exchange(other.armed_, false)) {}
  AtEnd& operator=(AtEnd&&) = delete;
  ~AtEnd() {
    if (armed_) function_();
  }

 private:
  Function function_;
  bool armed_ = true;
};

// Starts the coroutine work() on the loop of `executor`, and calls ended() on it exactly once, also if this throws:
// where the coroutine returned, where it threw, and where exhausted memory lost the operation that it would wait for.
// Boost.Asio then destroys it, and no completion handler is called.
template <typename Executor, typename Work, typename Ended>
void Spawn(const Executor& executor, Work work, Ended ended) {
  boost::asio::co_spawn(
      executor,
      [work = std::move(work), at_end = AtEnd(std::move(ended))]() -> boost::asio::awaitable<void> { co_await work(); },
      boost::asio::detached);
}

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_TASK_H_
