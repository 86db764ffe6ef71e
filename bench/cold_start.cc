// What one run of `thimble embed` with one short text costs, beside an empty C++ program of the same linkage.
//
//   bench_cold_start MODEL [ROUNDS]
//
// Time: both programs by turns, on one core, from spawn to exit. Memory: what the kernel says at the exit of the
// process, while this one has the model and the program mapped, so that their pages are shared as they are where
// several processes run. Exit code 1 above 6 times the empty program, 6 ms beyond it or 2 MB of private memory, 2 when
// it could not measure.

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/file_map.h"

extern char** environ;

namespace {

constexpr double kTimeLimit = 6;
constexpr double kBeyondLimitMs = 6;
constexpr double kPrivateLimitMb = 2;

using Command = std::vector<const char*>;  // Ends with nullptr.

// Milliseconds from start to exit; negative when the program failed.
double Time(const Command& command) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  auto begin = std::chrono::steady_clock::now();
  pid_t child;
  int status = -1;
  int error = posix_spawn(&child, command[0], &actions, nullptr, const_cast<char**>(command.data()), environ);
  if (error == 0) waitpid(child, &status, 0);
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  posix_spawn_file_actions_destroy(&actions);
  return status == 0 ? seconds * 1e3 : -1;
}

// Kilobytes that follow `key` in a file of /proc; 0 without it.
long Kilobytes(const std::string& path, const char* key) {
  std::FILE* file = std::fopen(path.c_str(), "r");
  if (file == nullptr) return 0;
  long found = 0;
  char line[256];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::strncmp(line, key, std::strlen(key)) == 0) found = std::atol(line + std::strlen(key));
  }
  std::fclose(file);
  return found;
}

struct Memory {
  long private_kb = 0;    // Pages that only this process has.
  long anonymous_kb = 0;  // Of those, the ones without a file.
  long peak_kb = 0;       // Most pages at any time, shared ones included.
};

// Runs the command under ptrace and reads its memory at the moment of exit, when nothing is freed yet.
bool MeasureMemory(const Command& command, Memory& memory) {
  pid_t child = fork();
  if (child < 0) return false;
  if (child == 0) {
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDOUT_FILENO);
    ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
    raise(SIGSTOP);
    execv(command[0], const_cast<char**>(command.data()));
    _exit(127);
  }
  int status;
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return false;
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL);
  bool measured = false;
  int signal = 0;
  for (;;) {
    ptrace(PTRACE_CONT, child, nullptr, signal);
    if (waitpid(child, &status, 0) != child) return false;
    if (!WIFSTOPPED(status)) break;
    signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
    if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXIT << 8))) {
      std::string process = "/proc/" + std::to_string(child);
      memory.private_kb = Kilobytes(process + "/smaps_rollup", "Private_Dirty:") +
                          Kilobytes(process + "/smaps_rollup", "Private_Clean:");
      memory.anonymous_kb = Kilobytes(process + "/smaps_rollup", "Anonymous:");
      memory.peak_kb = Kilobytes(process + "/status", "VmHWM:");
      measured = memory.peak_kb > 0;
    }
  }
  return measured && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

thimble::Result<thimble::base::FileMap> MapAndTouch(const char* path) {
  auto map = thimble::base::FileMap::Open(path);
  if (!map.ok()) return map;
  for (std::size_t i = 0; i < map->bytes().size(); i += 4096) {
    static_cast<void>(*static_cast<const volatile std::byte*>(&map->bytes()[i]));
  }
  return map;
}

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<long>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

int Fail(const char* why) {
  std::fprintf(stderr, "bench_cold_start: %s\n", why);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 2 ? std::atoi(argv[2]) : 400;
  if (argc < 2 || rounds < 1) return Fail("usage: bench_cold_start MODEL [ROUNDS]");
  const char* model = argv[1];
  const Command embed = {THIMBLE_CLI, "embed", "-m", model, "a short text", nullptr};
  const Command empty = {THIMBLE_EMPTY, nullptr};

  // Memory first. What this process has in memory too, the other shares.
  auto model_map = MapAndTouch(model), program_map = MapAndTouch(THIMBLE_CLI);
  if (!model_map.ok() || !program_map.ok()) return Fail("the model or the program cannot be mapped");
  Memory memory;
  if (!MeasureMemory(embed, memory)) return Fail("thimble embed failed, or its memory could not be read");

  cpu_set_t cores;
  sched_getaffinity(0, sizeof cores, &cores);
  int core = 0;
  while (core < CPU_SETSIZE - 1 && !CPU_ISSET(core, &cores)) ++core;
  CPU_ZERO(&cores);
  CPU_SET(core, &cores);
  sched_setaffinity(0, sizeof cores, &cores);

  std::vector<double> embed_times, empty_times;
  for (int round = -3; round < rounds; ++round) {
    double embed_time = Time(embed), empty_time = Time(empty);
    if (embed_time < 0 || empty_time < 0) return Fail("a program failed");
    if (round < 0) continue;  // Warms the page cache.
    embed_times.push_back(embed_time);
    empty_times.push_back(empty_time);
  }
  double embed_median = Median(embed_times), empty_median = Median(empty_times);
  double ratio = embed_median / empty_median;
  std::printf("one short text, process start to exit, %d rounds:\n", rounds);
  std::printf("  thimble embed  median %.2f ms  least %.2f ms\n", embed_median,
              *std::min_element(embed_times.begin(), embed_times.end()));
  std::printf("  empty program  median %.2f ms  least %.2f ms\n", empty_median,
              *std::min_element(empty_times.begin(), empty_times.end()));
  const double beyond = embed_median - empty_median;
  std::printf("  ratio of medians %.2f (limit %.0f), difference %.2f ms (limit %.0f)\n", ratio, kTimeLimit, beyond,
              kBeyondLimitMs);
  std::printf("memory at exit: private %.2f MB (limit %.0f; without a file %.2f), peak with shared pages %.2f MB\n",
              static_cast<double>(memory.private_kb) * 1024e-6, kPrivateLimitMb,
              static_cast<double>(memory.anonymous_kb) * 1024e-6, static_cast<double>(memory.peak_kb) * 1024e-6);
  return ratio <= kTimeLimit && beyond <= kBeyondLimitMs &&
                 static_cast<double>(memory.private_kb) * 1024e-6 <= kPrivateLimitMb
             ? 0
             : 1;
}
