// Tasks, and the functions of jobs.

#include "c/job.h"

#include <chrono>
#include <exception>
#include <new>
#include <utility>

#include "base/guard.h"
#include "c/values.h"

namespace thimble::c {

Status Cancelled() { return Status(Code::kIo, "the call was cancelled"); }

void Task::Run() {
  {
    std::lock_guard lock(mutex_);
    if (ended_) return;  // Cancelled before.
    started_ = true;
  }
  Status status = base::Guarded([&]() -> Status {
    try {
      return work_(*this, found_);
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {
      return Status(Code::kIo, error.what());
    }
  });
  work_ = nullptr;  // With what it holds, before anybody knows that it has ended.
  std::lock_guard lock(mutex_);
  status_ = std::move(status);
  ended_ = true;
  changed_.notify_all();
}

void Task::SetProgress(const thimble_progress& progress) {
  std::lock_guard lock(mutex_);
  progress_ = progress;
}

thimble_progress Task::progress() {
  std::lock_guard lock(mutex_);
  return progress_;
}

bool Task::Wait(std::int64_t milliseconds) {
  std::unique_lock lock(mutex_);
  if (milliseconds < 0) {
    changed_.wait(lock, [&] { return ended_; });
    return true;
  }
  return changed_.wait_for(lock, std::chrono::milliseconds(milliseconds), [&] { return ended_; });
}

bool Task::ended() {
  std::lock_guard lock(mutex_);
  return ended_;
}

void Task::Cancel() {
  cancelled_ = true;
  std::lock_guard lock(mutex_);
  if (started_ || ended_) return;
  status_ = Cancelled();
  ended_ = true;
  changed_.notify_all();
}

namespace {

// The job that `make` makes, or null without memory.
template <typename Make>
thimble_job* Made(Make&& make) {
  thimble_job* job = nullptr;
  (void)base::Guarded([&] {
    job = make();
    return Status();
  });
  return job;
}

void* RunTask(void* task) {
  static_cast<Task*>(task)->Run();
  return nullptr;
}

// Whether the job's thread is in this process.
bool IsOurs(const thimble_job* job) { return job->fork == base::ForkNumber(); }

Status Forked() {
  return Status(Code::kInvalidArgument, "the job belongs to the process that this one was forked from; start another");
}

}  // namespace

thimble_job* FailedJob(const Status& status) {
  return Made([&] {
    auto task = std::make_shared<Task>([status](Task&, Found&) { return status; });
    task->Run();
    return new thimble_job{.task = std::move(task), .executor = nullptr, .thread = {}};
  });
}

thimble_job* StartJob(std::shared_ptr<runtime::Executor> executor, Task::Work work) {
  return Made([&]() -> thimble_job* {
    auto task = std::make_shared<Task>(std::move(work));
    auto job =
        std::unique_ptr<thimble_job>(new thimble_job{.task = task, .executor = std::move(executor), .thread = {}});
    const Status status = job->executor->Submit(task);
    return status.ok() ? job.release() : FailedJob(status);
  });
}

thimble_job* StartLoneJob(Task::Work work) {
  return Made([&]() -> thimble_job* {
    // libcurl, and what it loads, was not written for small stacks.
    constexpr std::size_t kStackBytes = 8 << 20;
    auto job = std::unique_ptr<thimble_job>(
        new thimble_job{.task = std::make_shared<Task>(std::move(work)), .executor = nullptr, .thread = {}});
    const Status status = job->thread.Start(RunTask, job->task.get(), kStackBytes);
    return status.ok() ? job.release() : FailedJob(status);
  });
}

}  // namespace thimble::c

using namespace thimble::c;

int thimble_job_wait(thimble_job* job, int64_t milliseconds) {
  if (job == nullptr || !IsOurs(job)) return 1;
  return job->task->Wait(milliseconds) ? 1 : 0;
}

void thimble_job_cancel(thimble_job* job) {
  if (job == nullptr || !IsOurs(job)) return;
  job->task->Cancel();
  if (job->executor != nullptr) job->executor->Withdraw(job->task.get());
}

thimble_code thimble_job_result(thimble_job* job, thimble_text* text) {
  if (job == nullptr) return Give(thimble::Status(thimble::Code::kOutOfMemory, "out of memory"), text);
  if (!IsOurs(job)) return Give(Forked(), text);
  if (!job->task->ended()) return Give(thimble::Status(thimble::Code::kOverloaded, "the job has not ended"), text);
  return Give(job->task->status(), text, job->task->found().text);
}

void thimble_job_progress(thimble_job* job, thimble_progress* progress) {
  *progress = job != nullptr && IsOurs(job) ? job->task->progress() : thimble_progress{};
}

const float* thimble_job_vectors(thimble_job* job, size_t* rows, size_t* columns) {
  *rows = *columns = 0;
  if (job == nullptr || !IsOurs(job) || !job->task->ended() || !job->task->status().ok()) return nullptr;
  const Found& found = job->task->found();
  *rows = found.rows;
  *columns = found.columns;
  return found.vectors.data();
}

const int32_t* thimble_job_ids(thimble_job* job, const uint64_t** offsets, size_t* count) {
  *offsets = nullptr;
  *count = 0;
  if (job == nullptr || !IsOurs(job) || !job->task->ended() || !job->task->status().ok()) return nullptr;
  const Found& found = job->task->found();
  if (found.offsets.empty()) return nullptr;
  *offsets = found.offsets.data();
  *count = found.offsets.size() - 1;
  static constexpr std::int32_t kNone = 0;
  return found.ids.empty() ? &kNone : found.ids.data();
}

void thimble_job_free(thimble_job* job) {
  if (job == nullptr) return;
  if (!IsOurs(job)) return;  // Its mutex may be held by a thread that this process does not have.
  thimble_job_cancel(job);
  job->task->Wait(-1);
  delete job;
}
