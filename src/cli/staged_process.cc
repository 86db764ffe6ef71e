// Starting, following and measuring child processes.

#include "cli/staged_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/error.h"

extern char** environ;

namespace thimble::cli {
namespace {

// Of what a failed command wrote, its last bytes.
constexpr std::size_t kErrorBytes = 500;

// Both ends of a pipe, closed on destruction.
class Pipe {
 public:
  Pipe() {
    if (pipe(ends_) != 0) ends_[0] = ends_[1] = -1;
    // One thread starts processes here, so that none can come in between.
    for (int end : ends_) fcntl(end, F_SETFD, FD_CLOEXEC);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    Close(0);
    Close(1);
  }
  bool ok() const { return ends_[0] >= 0; }
  int end(int which) const { return ends_[which]; }
  void Close(int which) {
    if (ends_[which] >= 0) close(std::exchange(ends_[which], -1));
  }

 private:
  int ends_[2];
};

// Appends what can be read; false at the end.
bool ReadSome(int file, std::string& text) {
  char block[4096];
  ssize_t count;
  do {
    count = read(file, block, sizeof block);
  } while (count < 0 && errno == EINTR);
  if (count > 0) text.append(block, static_cast<std::size_t>(count));
  return count > 0;
}

// Nothing to read if `in` is negative; what the command writes and its errors go to `out`.
Result<pid_t> Spawn(const std::vector<std::string>& command, int in, int out) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  if (in < 0) {
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  } else {
    posix_spawn_file_actions_adddup2(&actions, in, 0);
  }
  for (int file : {1, 2}) posix_spawn_file_actions_adddup2(&actions, out, file);
  pid_t child = 0;
  const int error = posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return SystemError(error, "cannot start", command[0]);
  return child;
}

Status Wait(pid_t child, const std::string& name, std::string written) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Status();
  if (written.size() > kErrorBytes) written.erase(0, written.size() - kErrorBytes);
  while (written.ends_with('\n')) written.pop_back();
  if (WIFEXITED(status)) return Error(Code::kIo, name, ": exit code ", WEXITSTATUS(status), ": ", written);
  return Error(Code::kIo, name, ": killed by signal ", WTERMSIG(status), ": ", written);
}

void KeepMost(ProcessMemory& most, const ProcessMemory& now) {
  most.rss_bytes = std::max(most.rss_bytes, std::max(now.rss_bytes, now.peak_rss_bytes));
  most.pss_bytes = std::max(most.pss_bytes, now.pss_bytes);
  most.private_bytes = std::max(most.private_bytes, now.private_bytes);
}

}  // namespace

Result<StagedMemory> RunStaged(const std::vector<std::string>& command) {
  Pipe in, out;
  if (!in.ok() || !out.ok()) return SystemError(errno, "cannot make a pipe for", command[0]);
  THIMBLE_ASSIGN_OR_RETURN(pid_t child, Spawn(command, in.end(0), out.end(1)));
  in.Close(0);
  out.Close(1);
  StagedMemory memory;
  Status measured;
  std::string text;
  pollfd file = {out.end(0), POLLIN, 0};
  while (true) {
    const int ready = poll(&file, 1, 1);
    if (ready < 0 && errno != EINTR) break;
    if (ready <= 0) {
      auto now = MeasureMemory(child);
      if (now.ok()) KeepMost(memory.peak, *now);
      continue;
    }
    if (!ReadSome(file.fd, text)) break;
    for (std::size_t end; (end = text.find('\n')) != std::string::npos;) {
      const std::string line = text.substr(0, end + 1);
      text.erase(0, end + 1);
      if (!line.starts_with("stage ")) {
        memory.rest += line;
        continue;
      }
      auto now = MeasureMemory(child);
      if (now.ok()) {
        KeepMost(memory.peak, *now);
        memory.stages[line.substr(6, end - 6)] = *now;
      } else if (measured.ok()) {
        measured = now.status();
      }
      if (write(in.end(1), "\n", 1) != 1) in.Close(1);  // It has ended; Wait says how.
    }
  }
  in.Close(1);
  THIMBLE_RETURN_IF_ERROR(Wait(child, command[0], memory.rest + text));
  THIMBLE_RETURN_IF_ERROR(measured);
  return memory;
}

Result<double> TimeCommand(const std::vector<std::string>& command, int runs) {
  std::vector<double> times;
  for (int run = 0; run < runs; ++run) {
    Pipe out;
    if (!out.ok()) return SystemError(errno, "cannot make a pipe for", command[0]);
    const auto begin = std::chrono::steady_clock::now();
    THIMBLE_ASSIGN_OR_RETURN(pid_t child, Spawn(command, -1, out.end(1)));
    out.Close(1);
    std::string written;
    while (ReadSome(out.end(0), written)) continue;
    THIMBLE_RETURN_IF_ERROR(Wait(child, command[0], written));
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  std::nth_element(times.begin(), times.begin() + runs / 2, times.end());
  return times[static_cast<std::size_t>(runs / 2)];
}

}  // namespace thimble::cli
