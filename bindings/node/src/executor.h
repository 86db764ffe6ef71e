// The threads that embed, one set for the process whatever the number of its JavaScript environments.

#ifndef THIMBLE_BINDINGS_NODE_EXECUTOR_H_
#define THIMBLE_BINDINGS_NODE_EXECUTOR_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "base/thread.h"
#include "thimble/status.h"

namespace thimble::node {

// Work for a thread of the executor. Holds nothing of JavaScript.
class Job {
 public:
  virtual ~Job() = default;
  // Called once, on any thread. Does not throw.
  virtual void Run() = 0;
};

// Thread-safe. Jobs start in the order in which they came, as many at the same time as UsableProcessors().
class Executor {
 public:
  // The process's own, which ends with its last user: then no thread of the addon is left, and the addon may be
  // unloaded.
  static std::shared_ptr<Executor> Shared();

  Executor();
  // Drops the jobs that have not started, and waits for those that have.
  ~Executor();

  // kOutOfMemory when there is no thread and the system refuses one.
  Status Submit(std::shared_ptr<Job> job);
  // Forgets the job unless it has started.
  void Withdraw(const Job* job);

 private:
  static void* RunThread(void* self);
  void Work();

  const std::size_t max_threads_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Job>> queue_;
  std::vector<std::unique_ptr<Thread>> threads_;
  std::size_t idle_threads_ = 0;
  bool closed_ = false;
};

}  // namespace thimble::node

#endif  // THIMBLE_BINDINGS_NODE_EXECUTOR_H_
