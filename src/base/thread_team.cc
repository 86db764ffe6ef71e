// Members wait for a job under one lock.

#include "base/thread_team.h"

#include <condition_variable>
#include <mutex>
#include <utility>

#include "base/thread.h"

namespace thimble {

struct ThreadTeam::State {
  struct Member {
    State* state = nullptr;
    std::size_t index = 0;
    Thread thread;
  };

  std::mutex mutex;
  std::condition_variable start;  // A new job, or the end.
  std::condition_variable done;   // No member is at work any more.
  std::size_t job = 0;            // Counts jobs, so that a member runs each once.
  std::size_t working = 0;
  bool stop = false;
  void (*call)(void*, std::size_t) = nullptr;
  void* context = nullptr;
  std::unique_ptr<Member[]> members;  // Destroyed first, which waits for the threads.

  ~State() {
    {
      std::lock_guard lock(mutex);
      stop = true;
    }
    start.notify_all();
  }

  static void* Loop(void* argument) {
    Member& member = *static_cast<Member*>(argument);
    State& state = *member.state;
    std::unique_lock lock(state.mutex);
    for (std::size_t seen = 0;;) {
      state.start.wait(lock, [&] { return state.stop || state.job != seen; });
      if (state.stop) return nullptr;
      seen = state.job;
      lock.unlock();
      state.call(state.context, member.index);
      lock.lock();
      if (--state.working == 0) state.done.notify_one();
    }
  }
};

ThreadTeam::ThreadTeam(std::size_t size, std::unique_ptr<State> state) : size_(size), state_(std::move(state)) {}
ThreadTeam::ThreadTeam(ThreadTeam&&) noexcept = default;
ThreadTeam& ThreadTeam::operator=(ThreadTeam&&) noexcept = default;
ThreadTeam::~ThreadTeam() = default;

Result<ThreadTeam> ThreadTeam::Create(std::size_t size) {
  if (size <= 1) return ThreadTeam(1, nullptr);
  auto state = std::make_unique<State>();
  state->members = std::make_unique<State::Member[]>(size - 1);
  for (std::size_t index = 1; index < size; ++index) {
    State::Member& member = state->members[index - 1];
    member.state = state.get();
    member.index = index;
    Status status = member.thread.Start(State::Loop, &member);
    if (!status.ok()) return status;
  }
  return ThreadTeam(size, std::move(state));
}

void ThreadTeam::RunErased(void (*call)(void*, std::size_t), void* context) {
  if (state_ != nullptr) {
    std::lock_guard lock(state_->mutex);
    state_->call = call;
    state_->context = context;
    state_->working = size_ - 1;
    ++state_->job;
    state_->start.notify_all();
  }
  call(context, 0);
  if (state_ != nullptr) {
    std::unique_lock lock(state_->mutex);
    state_->done.wait(lock, [&] { return state_->working == 0; });
  }
}

}  // namespace thimble
