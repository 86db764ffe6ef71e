// Threads in a program with thread-local variables, signals and fork.

#include "base/thread.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <thread>

#include "base/fork.h"
#include "base/thread_team.h"
#include "tests/support/child.h"

namespace thimble::base {
namespace {

// More than the stack of a thread.
thread_local volatile char of_the_program[200 << 10];

// Four times less than what a thread promises.
[[gnu::noinline]] std::size_t UseStack() {
  volatile char bytes[48 << 10];
  std::size_t sum = 0;
  for (std::size_t i = 0; i < sizeof bytes; i += 512) bytes[i] = 1;
  for (std::size_t i = 0; i < sizeof bytes; i += 512) sum += static_cast<std::size_t>(bytes[i]);
  return sum;
}

TEST(Thread, HasItsStackBesideTheThreadLocalVariablesOfTheProgram) {
  of_the_program[sizeof of_the_program - 1] = 1;
  std::size_t found = 0;
  Thread thread;
  Status status = thread.Start(
      [](void* result) -> void* {
        of_the_program[0] = 1;
        *static_cast<std::size_t*>(result) = UseStack() + static_cast<std::size_t>(of_the_program[0]);
        return nullptr;
      },
      &found);
  ASSERT_TRUE(status.ok()) << status.message();
  thread.Join();
  EXPECT_EQ(found, 97u);
}

TEST(Thread, LeavesTheSignalsOfTheProgramToItsOtherThreads) {
  sigset_t before, within, after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  ASSERT_EQ(sigismember(&before, SIGTERM), 0);
  Thread thread;
  auto read_mask = [](void* mask) -> void* {
    pthread_sigmask(SIG_SETMASK, nullptr, static_cast<sigset_t*>(mask));
    return nullptr;
  };
  ASSERT_TRUE(thread.Start(read_mask, &within).ok());
  thread.Join();
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  for (int number : {SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGPROF, SIGALRM, SIGUSR1, SIGUSR2, SIGPIPE, SIGXFSZ}) {
    EXPECT_EQ(sigismember(&within, number), 1) << number;
  }
  for (int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT}) {
    EXPECT_EQ(sigismember(&within, number), 0) << number;
  }
  for (int number = 1; number < SIGRTMAX; ++number) {
    EXPECT_EQ(sigismember(&after, number), sigismember(&before, number)) << number;
  }
}

TEST(Thread, OfTheProcessBeforeAForkIsNotWaitedFor) {
  std::atomic<bool> stop = false;
  Thread thread;
  auto wait = [](void* value) -> void* {
    static_cast<std::atomic<bool>*>(value)->wait(false);
    return nullptr;
  };
  ASSERT_TRUE(thread.Start(wait, &stop).ok());
  EXPECT_EQ(test::ExitCodeOfChild([&] {
              thread.Join();
              return 0;
            }),
            0);
  stop = true;
  stop.notify_all();
}

// Whether all members of a team of three are at work at the same time.
int AllWork(ThreadTeam& team) {
  std::atomic<int> arrived = 0;
  team.Run([&](std::size_t) {
    ++arrived;
    while (arrived < 3) std::this_thread::yield();
  });
  return arrived == 3 ? 0 : 1;
}

TEST(ThreadTeam, HasItsThreadsInTheChildOfAForkAndInItsChild) {
  if (!test::kChildrenMayHaveThreads) GTEST_SKIP() << "ThreadSanitizer does not allow it";
  ThreadTeam team = ThreadTeam::Create(3);
  ASSERT_EQ(AllWork(team), 0);
  EXPECT_EQ(test::ExitCodeOfChild([&] {
              if (AllWork(team) != 0) return 1;
              const int grandchild = test::ExitCodeOfChild([&] { return AllWork(team); });
              ThreadTeam ended = std::move(team);
              return grandchild;
            }),
            0);
  EXPECT_EQ(test::ExitCodeOfChild([&] {
              ThreadTeam ended = std::move(team);
              return 0;
            }),
            0);
  EXPECT_EQ(AllWork(team), 0);
}

TEST(ForkNumber, ChangesInTheChildAlone) {
  const std::uint32_t before = ForkNumber();
  EXPECT_EQ(test::ExitCodeOfChild([&] { return ForkNumber() == before ? 1 : 0; }), 0);
  EXPECT_EQ(ForkNumber(), before);
}

TEST(ForkMutex, LetsAForkSeeOnlyWhatIsConsistent) {
  struct Shared {
    ForkMutex first, second;
    volatile int a = 0, b = 0;
    std::atomic<bool> stop = false;
  };
  Shared shared;
  std::thread writer([&] {
    while (!shared.stop) {
      const std::lock_guard lock(shared.first);
      shared.a = shared.a + 1;
      for (int i = 0; i < 1000; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
      shared.b = shared.b + 1;
    }
  });
  std::thread maker([&] {
    while (!shared.stop) {
      ForkMutex another;
      const std::lock_guard lock(another);
    }
  });
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(test::ExitCodeOfChild([&] {
                const std::lock_guard first(shared.first);
                const std::lock_guard second(shared.second);
                return shared.a == shared.b ? 0 : 1;
              }),
              0);
  }
  shared.stop = true;
  writer.join();
  maker.join();
}

}  // namespace
}  // namespace thimble::base
