// fork() by the program that uses the library: the child has only the thread that called it, and memory as it was.

#ifndef THIMBLE_BASE_FORK_H_
#define THIMBLE_BASE_FORK_H_

#include <cstdint>
#include <mutex>

namespace thimble::base {

// Changes in the child of every fork(). What depends on threads keeps the number it was made under: under another one
// its threads no longer exist, nor the waiters of its condition variables. Always 0 on Windows. vfork() and
// posix_spawn() change nothing, because their child only executes another program.
std::uint32_t ForkNumber();

// A mutex that no other thread holds while the process forks, so that what it guards is consistent in the child, where
// it is free. Whoever holds it must not make, destroy or take another one.
class ForkMutex : public std::mutex {
 public:
  ForkMutex();
  ForkMutex(const ForkMutex&) = delete;
  ForkMutex& operator=(const ForkMutex&) = delete;
  ~ForkMutex();

 private:
  friend struct ForkHandlers;
  ForkMutex* newer_ = nullptr;
  ForkMutex* older_ = nullptr;
};

}  // namespace thimble::base

#endif  // THIMBLE_BASE_FORK_H_
