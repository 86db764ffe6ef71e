// Members wait for the count of jobs to change.

#include "base/thread_team.h"

#include <atomic>
#include <cstdint>
#include <utility>

#include "base/fork.h"
#include "base/steps.h"
#include "base/thread.h"

namespace thimble::base {

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
  std::size_t count = 0;  // Of the members.
  std::uint32_t fork = 0;
  std::unique_ptr<Member[]> members;  // Destroyed first, which waits for the threads.

  ~State() {
    stop = true;
    ++job;
    job.notify_all();
  }

  // Starts the threads; says how many the system granted.
  std::size_t Start() {
    fork = ForkNumber();
    job = 0;
    gate = kClosed;
    std::size_t started = 0;
    while (started < count && members[started].thread.Start(Loop, &members[started]).ok()) ++started;
    return started;
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

ThreadTeam ThreadTeam::Create(std::size_t size) {
  if (size <= 1) return ThreadTeam(1, nullptr);
  auto state = std::make_unique<State>();
  state->count = size - 1;
  state->members = std::make_unique<State::Member[]>(state->count);
  for (std::size_t i = 0; i < state->count; ++i) {
    state->members[i].state = state.get();
    state->members[i].index = i + 1;
  }
  state->count = state->Start();
  if (state->count == 0) return ThreadTeam(1, nullptr);
  const std::size_t granted = state->count + 1;
  return ThreadTeam(granted, std::move(state));
}

void ThreadTeam::RunErased(void (*call)(void*, std::size_t), void* context) {
  if (state_ == nullptr) return call(context, 0);
  State& state = *state_;
  if (state.fork != ForkNumber()) state.Start();
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

std::string FewerThreads(std::size_t granted, std::size_t wanted) {
  return "runs with " + std::to_string(granted) + " of " + std::to_string(wanted) +
         " threads, because the system refused more (ulimit -u, pids.max of the control group)";
}

}  // namespace thimble::base
