// A queue and the threads that empty it.

#include "runtime/executor.h"

#include <utility>

#include "base/guard.h"
#include "base/processors.h"

namespace thimble::inline v0_1 {

std::shared_ptr<Executor> Executor::Shared() {
  static std::mutex mutex;
  static std::weak_ptr<Executor> shared;
  std::lock_guard lock(mutex);
  std::shared_ptr<Executor> executor = shared.lock();
  if (executor == nullptr) shared = executor = std::make_shared<Executor>();
  return executor;
}

Executor::Executor() : max_threads_(UsableProcessors()) {}

Executor::~Executor() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    queue_.clear();
  }
  changed_.notify_all();
  threads_.clear();  // Waits for each.
}

Status Executor::Submit(std::shared_ptr<Job> job) {
  std::lock_guard lock(mutex_);
  queue_.push_back(std::move(job));
  if (idle_threads_ < queue_.size() && threads_.size() < max_threads_) {
    Status status = Guarded([&] {
      threads_.reserve(max_threads_);  // Nothing may fail once the thread runs.
      auto thread = std::make_unique<Thread>();
      Status started = thread->Start(RunThread, this);
      if (started.ok()) threads_.push_back(std::move(thread));
      return started;
    });
    if (!status.ok() && threads_.empty()) {
      queue_.pop_back();
      return status;
    }
  }
  changed_.notify_one();
  return Status();
}

void Executor::Withdraw(const Job* job) {
  std::lock_guard lock(mutex_);
  std::erase_if(queue_, [&](const std::shared_ptr<Job>& other) { return other.get() == job; });
}

void* Executor::RunThread(void* self) {
  static_cast<Executor*>(self)->Work();
  return nullptr;
}

void Executor::Work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_threads_;
    changed_.wait(lock, [&] { return closed_ || !queue_.empty(); });
    --idle_threads_;
    if (closed_) return;
    std::shared_ptr<Job> job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job->Run();
    job.reset();
    lock.lock();
  }
}

}  // namespace thimble::inline v0_1
