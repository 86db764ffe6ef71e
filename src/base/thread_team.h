// A fixed team of threads that runs one job at a time and sleeps between jobs.

#ifndef THIMBLE_BASE_THREAD_TEAM_H_
#define THIMBLE_BASE_THREAD_TEAM_H_

#include <cstddef>
#include <memory>
#include <string>
#include <type_traits>

namespace thimble::base {

// Thread-compatible. The calling thread is member 0 of the team. In the child of a fork() its threads are started again
// with the next job, as far as the system allows.
class ThreadTeam {
 public:
  // A team of `size` >= 1, that is size - 1 new threads, or fewer where the system refuses more.
  static ThreadTeam Create(std::size_t size);

  ThreadTeam(ThreadTeam&&) noexcept;
  ThreadTeam& operator=(ThreadTeam&&) noexcept;
  // Waits for the threads to end.
  ~ThreadTeam();

  std::size_t size() const { return size_; }

  // Calls job(0) on this thread, and job(member) on the others as they come: at most once each, and no more when job(0)
  // has returned, so that none that the system holds up is waited for before it has begun. Returns when all calls have.
  // Allocates nothing.
  template <typename Job>
  void Run(Job&& job) {
    RunErased([](void* context, std::size_t member) { (*static_cast<std::remove_reference_t<Job>*>(context))(member); },
              &job);
  }

 private:
  struct State;
  ThreadTeam(std::size_t size, std::unique_ptr<State> state);
  void RunErased(void (*call)(void*, std::size_t), void* context);

  std::size_t size_ = 1;
  std::unique_ptr<State> state_;  // Null for a team of one.
};

// Says that a team has `granted` threads of the `wanted` ones.
std::string FewerThreads(std::size_t granted, std::size_t wanted);

}  // namespace thimble::base

#endif  // THIMBLE_BASE_THREAD_TEAM_H_
