// Handlers of fork().

#include <pthread.h>

#include <atomic>

#include "base/fork.h"
#include "base/keep_loaded.h"

namespace thimble::base {

// The mutexes of the process, from the newest to the oldest. Never destroyed, because handlers may run at any time.
struct ForkHandlers {
  static constinit std::atomic<std::uint32_t> number;
  static constinit std::mutex list;
  static constinit ForkMutex* newest;

  static void Prepare() {
    list.lock();
    for (ForkMutex* each = newest; each != nullptr; each = each->older_) each->lock();
  }
  static void Parent() {
    for (ForkMutex* each = newest; each != nullptr; each = each->older_) each->unlock();
    list.unlock();
  }
  // Only what a signal handler may do too.
  static void Child() {
    number.fetch_add(1, std::memory_order_relaxed);
    Parent();
  }
};

constinit std::atomic<std::uint32_t> ForkHandlers::number = 0;
constinit std::mutex ForkHandlers::list;
constinit ForkMutex* ForkHandlers::newest = nullptr;

namespace {

// Before main, or when the library is loaded: a later registration could meet a fork of another thread half done.
[[maybe_unused]] const bool registered = [] {
  KeepLoaded();  // Of the systems that unload libraries, only glibc's forgets their handlers.
  return pthread_atfork(ForkHandlers::Prepare, ForkHandlers::Parent, ForkHandlers::Child) == 0;
}();

}  // namespace

std::uint32_t ForkNumber() { return ForkHandlers::number.load(std::memory_order_relaxed); }

ForkMutex::ForkMutex() {
  const std::lock_guard lock(ForkHandlers::list);
  older_ = ForkHandlers::newest;
  if (older_ != nullptr) older_->newer_ = this;
  ForkHandlers::newest = this;
}

ForkMutex::~ForkMutex() {
  const std::lock_guard lock(ForkHandlers::list);
  if (older_ != nullptr) older_->newer_ = newer_;
  (newer_ != nullptr ? newer_->older_ : ForkHandlers::newest) = older_;
}

}  // namespace thimble::base
