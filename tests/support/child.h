// Work in the child of a fork, as tests need it.

#ifndef THIMBLE_TESTS_CHILD_H_
#define THIMBLE_TESTS_CHILD_H_

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>

namespace thimble::test {

// ThreadSanitizer takes the threads that such a child starts for those that it lost.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool kChildrenMayHaveThreads = false;
#else
inline constexpr bool kChildrenMayHaveThreads = true;
#endif

// A thread that the child lost may have had the allocator of AddressSanitizer locked, as each has while it starts.
#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool kOthersMayAllocate = false;
#else
inline constexpr bool kOthersMayAllocate = true;
#endif

// Forks; the child ends with the exit code that work() returns. Waits for it and returns that code, 1000 + the number
// of the signal that killed it, or -1 for one that did not end within 20 seconds.
template <typename Work>
int ExitCodeOfChild(Work&& work) {
  const pid_t child = fork();
  if (child == 0) _exit(work());
  int status = 0;
  for (int i = 0; i < 4000; ++i) {
    if (waitpid(child, &status, WNOHANG) == child) {
      return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    }
    const timespec pause = {.tv_sec = 0, .tv_nsec = 5'000'000};
    nanosleep(&pause, nullptr);
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return -1;
}

}  // namespace thimble::test

#endif  // THIMBLE_TESTS_CHILD_H_
