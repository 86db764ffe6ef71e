// One thread with a small stack, whose creation can fail without an exception.

#ifndef THIMBLE_BASE_THREAD_H_
#define THIMBLE_BASE_THREAD_H_

#if !defined(_WIN32)
#include <pthread.h>
#endif

#include <cstddef>
#include <cstdint>

#include "thimble/status.h"

namespace thimble::base {

// Neither copied nor moved, because the thread may hold its address.
class Thread {
 public:
  // Bytes of stack that a thread reserves beside the thread-local variables of the program: four times what the deepest
  // path of an embedding takes, and more under the sanitizers, which put gaps between variables.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  static constexpr std::size_t kStackBytes = 1 << 20;
#else
  static constexpr std::size_t kStackBytes = 64 << 10;
#endif

  Thread() = default;
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;
  ~Thread() { Join(); }

  // Runs function(argument) on a new thread, once. kOutOfMemory when the system refuses. The program's signals do not
  // interrupt the thread, except those that report a fault of its own.
  Status Start(void* (*function)(void*), void* argument, std::size_t stack_bytes = kStackBytes);
  // Waits for the thread to end; at once when none was started, or only in the process that this one was forked from.
  void Join();

 private:
#if defined(_WIN32)
  void* thread_ = nullptr;
#else
  pthread_t thread_ = {};
#endif
  bool running_ = false;
  std::uint32_t fork_ = 0;  // ForkNumber() of its start.
};

}  // namespace thimble::base

#endif  // THIMBLE_BASE_THREAD_H_
