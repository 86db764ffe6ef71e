// Calls that run on threads of the library, and what becomes of their results.

#ifndef THIMBLE_C_JOB_H_
#define THIMBLE_C_JOB_H_

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/fork.h"
#include "base/thread.h"
#include "runtime/executor.h"
#include "thimble/status.h"
#include "thimble/thimble_c.h"

namespace thimble::c {

// What a job has found; only its fields that the call is for are filled.
struct Found {
  std::string text;
  std::vector<float> vectors;  // [rows][columns]
  std::size_t rows = 0, columns = 0;
  std::vector<std::int32_t> ids;
  std::vector<std::uint64_t> offsets;  // Of ids; empty unless the job tokenised.
};

// A call. Thread-safe.
class Task final : public runtime::Job {
 public:
  using Work = std::function<Status(Task& task, Found& found)>;

  explicit Task(Work work) : work_(std::move(work)) {}

  void Run() override;

  // For the work.
  const std::atomic<bool>& cancelled() const { return cancelled_; }
  void SetProgress(const thimble_progress& progress);

  // For whoever waits. Found is constant once the task has ended.
  bool Wait(std::int64_t milliseconds);
  void Cancel();
  bool ended();
  const Status& status() const { return status_; }
  const Found& found() const { return found_; }
  thimble_progress progress();

 private:
  Work work_;
  std::atomic<bool> cancelled_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool started_ = false, ended_ = false;
  thimble_progress progress_ = {};
  Status status_;
  Found found_;
};

// The error of a task that was cancelled.
Status Cancelled();

// Jobs of `work` on the executor, whose threads they share, and on a thread of their own, for what waits for a network
// or takes minutes. Null when there is no memory.
thimble_job* StartJob(std::shared_ptr<runtime::Executor> executor, Task::Work work);
thimble_job* StartLoneJob(Task::Work work);
// One that has ended with this error.
thimble_job* FailedJob(const Status& status);
// The job of use(value), or of the error that is there instead.
template <typename T, typename Use>
thimble_job* With(const Result<T>& value, Use&& use) {
  return value.ok() ? use(*value) : FailedJob(value.status());
}

}  // namespace thimble::c

struct thimble_job {
  std::shared_ptr<thimble::c::Task> task;
  std::shared_ptr<thimble::runtime::Executor> executor;  // Or null.
  thimble::base::Thread thread;
  const std::uint32_t fork = thimble::base::ForkNumber();  // Of the process that started it.
};

#endif  // THIMBLE_C_JOB_H_
