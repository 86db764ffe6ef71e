// A queue and the threads that empty it.

#include "runtime/executor.h"

#include <new>
#include <utility>

#include "base/guard.h"
#include "base/processors.h"

namespace thimble::runtime {

std::shared_ptr<Executor> Executor::Shared() {
  static base::ForkMutex mutex;
  static std::weak_ptr<Executor> shared;
  {
    std::lock_guard lock(mutex);
    if (std::shared_ptr<Executor> executor = shared.lock()) return executor;
  }
  auto made = std::make_shared<Executor>();
  std::lock_guard lock(mutex);
  std::shared_ptr<Executor> executor = shared.lock();  // Of another thread, meanwhile.
  if (executor == nullptr) shared = executor = std::move(made);
  return executor;
}

Executor::Executor() : max_threads_(base::UsableProcessors()) {}

Executor::~Executor() {
  {
    const Lock lock = Enter();
    closed_ = true;
    queue_.clear();
    changed_.notify_all();
  }
  threads_.clear();  // Waits for each.
}

Executor::Lock Executor::Enter() {
  Lock lock(mutex_);
  if (fork_ == base::ForkNumber()) return lock;
  fork_ = base::ForkNumber();
  new (&changed_) std::condition_variable;  // Its waiters do not exist, but would be waited for.
  idle_threads_ = 0;
  threads_.clear();
  auto jobs = std::exchange(queue_, {});
  lock.unlock();  // The end of a job may call this executor.
  jobs.clear();
  lock.lock();
  return lock;
}

Status Executor::Submit(std::shared_ptr<Job> job) {
  const Lock lock = Enter();
  queue_.push_back(std::move(job));
  if (idle_threads_ < queue_.size() && threads_.size() < max_threads_) {
    Status status = base::Guarded([&] {
      threads_.reserve(max_threads_);  // Nothing may fail once the thread runs.
      auto thread = std::make_unique<base::Thread>();
      Status started = thread->Start(RunThread, this);
      if (started.ok()) threads_.push_back(std::move(thread));
      return started;
    });
    if (!status.ok() && threads_.empty()) {
      queue_.pop_back();
      return Status(Code::kOverloaded, status.message());
    }
  }
  changed_.notify_one();
  return Status();
}

void Executor::Withdraw(const Job* job) {
  const Lock lock = Enter();
  std::erase_if(queue_, [&](const std::shared_ptr<Job>& other) { return other.get() == job; });
}

void* Executor::RunThread(void* self) {
  static_cast<Executor*>(self)->Work();
  return nullptr;
}

void Executor::Work() {
  Lock lock(mutex_);
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

}  // namespace thimble::runtime
