// POSIX threads: std::thread reports failure by an exception, which the core does not use.

#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <system_error>
#if defined(__GLIBC__)
#include <dlfcn.h>
#endif

#include "base/checked.h"
#include "base/error.h"
#include "base/fork.h"
#include "base/thread.h"

namespace thimble::base {
namespace {

// Of the smallest pages. A stack that ends within one takes a page more for what lies at its end.
constexpr std::size_t kPageBytes = 4 << 10;
// More than this is no longer a matter of room for thread-local variables.
constexpr std::size_t kMostStackBytes = 64 << 20;

// What glibc puts on the stack of every thread before its first function: the thread-local variables of the program and
// of the libraries it was started with. Other C libraries add them to the size, or keep them elsewhere.
std::size_t StackOverhead() {
#if defined(__GLIBC__)
  static std::atomic<std::size_t> known = 0;  // No static initialisation, which a fork could leave half done.
  std::size_t bytes = known.load(std::memory_order_relaxed);
  if (bytes != 0) return bytes;
  using MinimumStack = std::size_t (*)(const pthread_attr_t*);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  // Looked up, not linked: it is private to glibc, which has it for Java and Rust.
  const auto minimum = reinterpret_cast<MinimumStack>(dlsym(RTLD_DEFAULT, "__pthread_get_minstack"));
  if (minimum != nullptr) bytes = minimum(&attributes);
  pthread_attr_destroy(&attributes);
  known.store(bytes, std::memory_order_relaxed);
  return bytes;
#else
  return 0;
#endif
}

// The signals that other threads are there for. The rest is a thread's own doing, and blocked it would end the process.
sigset_t ForeignSignals() {
  sigset_t signals;
  sigfillset(&signals);
  for (int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) sigdelset(&signals, own);
  return signals;
}

}  // namespace

Status Thread::Start(void* (*function)(void*), void* argument, std::size_t stack_bytes) {
  // A thread inherits the mask.
  const sigset_t foreign = ForeignSignals();
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &foreign, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  int error = EINVAL;  // Which says that the stack is too small.
  std::size_t bytes = RoundUp(stack_bytes + StackOverhead(), kPageBytes);
  for (; error == EINVAL && bytes <= kMostStackBytes; bytes *= 2) {
    pthread_attr_setstacksize(&attributes, bytes);
    error = pthread_create(&thread_, &attributes, function, argument);
  }
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  running_ = error == 0;
  fork_ = ForkNumber();
  if (running_) return Status();
  return Error(Code::kOutOfMemory, "the system refused a thread: ", std::generic_category().message(error),
               "; its limits are memory, ulimit -u and pids.max of the control group");
}

void Thread::Join() {
  if (running_ && fork_ == ForkNumber()) pthread_join(thread_, nullptr);
  running_ = false;
}

}  // namespace thimble::base
