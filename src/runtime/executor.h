// Threads that run jobs for users who must not wait: an event loop, a server's connections.

#ifndef THIMBLE_RUNTIME_EXECUTOR_H_
#define THIMBLE_RUNTIME_EXECUTOR_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "base/fork.h"
#include "base/thread.h"
#include "thimble/status.h"

namespace thimble::runtime {

// Work for a thread of the executor.
class Job {
 public:
  virtual ~Job() = default;
  // Called once, on any thread. Does not throw.
  virtual void Run() = 0;
};

// Thread-safe. Jobs start in the order in which they came, as many at the same time as UsableProcessors(), or as the
// system grants threads. The child of a fork() begins with no jobs: those that had not started are destroyed with its
// first use of the executor, because the process that it was forked from runs them.
class Executor {
 public:
  // The process's own, which ends with its last user: then none of its threads is left, and a shared library with this
  // code may be unloaded.
  static std::shared_ptr<Executor> Shared();

  Executor();
  // Drops the jobs that have not started, and waits for those that have.
  ~Executor();

  // kOverloaded when there is no thread and the system refuses one: the caller must not do the work itself.
  Status Submit(std::shared_ptr<Job> job);
  // Forgets the job unless it has started.
  void Withdraw(const Job* job);

 private:
  using Lock = std::unique_lock<std::mutex>;

  // The mutex, in a child with the state of one in which nothing has happened.
  Lock Enter();
  static void* RunThread(void* self);
  void Work();

  const std::size_t max_threads_;
  base::ForkMutex mutex_;
  std::uint32_t fork_ = base::ForkNumber();  // Of which the state is.
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Job>> queue_;
  std::vector<std::unique_ptr<base::Thread>> threads_;
  std::size_t idle_threads_ = 0;
  bool closed_ = false;
};

}  // namespace thimble::runtime

#endif  // THIMBLE_RUNTIME_EXECUTOR_H_
