// Members wait for the count of jobs to change.

#include "base/thread_team.h"

#include <atomic>
#include <cstdint>
#include <utility>

#include "base/spin_wait.h"
#include "base/thread.h"

namespace thimble::inline v0_1 {

struct ThreadTeam::State {
  struct Member {
    State* state = nullptr;
    std::size_t index = 0;
    Thread thread;
  };

  // The job in 32 bits, whether it is closed, and how many members beside the caller are inside.
  static constexpr std::uint64_t kClosed = 1u << 31, kInside = kClosed - 1;

  std::atomic<std::uint32_t> job = 0;  // Counts jobs.
  std::atomic<std::uint64_t> gate = kClosed;
  std::atomic<bool> stop = false;
  void (*call)(void*, std::size_t) = nullptr;
  void* context = nullptr;
  std::unique_ptr<Member[]> members;  // Destroyed first, which waits for the threads.

  ~State() {
    stop = true;
    ++job;
    job.notify_all();
  }

  // Whether the job is still open; then it stays what it is until Leave.
  bool Enter(std::uint32_t number) {
    std::uint64_t seen = gate.load(std::memory_order_acquire);
    do {
      if (seen >> 32 != number || (seen & kClosed) != 0) return false;
    } while (!gate.compare_exchange_weak(seen, seen + 1, std::memory_order_acq_rel));
    return true;
  }
  void Leave() {
    if (((gate.fetch_sub(1, std::memory_order_acq_rel) - 1) & (kClosed | kInside)) == kClosed) gate.notify_all();
  }

  static void* Loop(void* argument) {
    Member& member = *static_cast<Member*>(argument);
    State& state = *member.state;
    for (std::uint32_t seen = 0;;) {
      WaitWhile(state.job, seen);
      if (state.stop) return nullptr;
      seen = state.job.load(std::memory_order_acquire);
      if (!state.Enter(seen)) continue;
      state.call(state.context, member.index);
      state.Leave();
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
  if (state_ == nullptr) return call(context, 0);
  State& state = *state_;
  state.call = call;
  state.context = context;
  const std::uint32_t number = state.job.load(std::memory_order_relaxed) + 1;
  state.gate.store(std::uint64_t{number} << 32, std::memory_order_release);
  state.job.store(number, std::memory_order_release);
  state.job.notify_all();
  call(context, 0);
  std::uint64_t inside = state.gate.fetch_or(State::kClosed, std::memory_order_acq_rel) | State::kClosed;
  while ((inside & State::kInside) != 0) {
    WaitWhile(state.gate, inside);
    inside = state.gate.load(std::memory_order_acquire);
  }
}

}  // namespace thimble::inline v0_1
