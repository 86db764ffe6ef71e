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

// Of a message on standard error, its last bytes.
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

struct Files {
  int in = -1;  // Nothing when negative.
  int out = -1;
  int error = -1;
};

Result<pid_t> Spawn(const std::vector<std::string>& command, const Files& files) {
  std::vector<char*> arguments;
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const int own[] = {files.in, files.out, files.error};
  for (int file = 0; file < 3; ++file) {
    if (own[file] >= 0) {
      posix_spawn_file_actions_adddup2(&actions, own[file], file);
    } else {
      posix_spawn_file_actions_addopen(&actions, file, "/dev/null", O_RDWR, 0);
    }
  }
  pid_t child = 0;
  const int error = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return SystemError(error, "cannot start", command[0]);
  return child;
}

Status Wait(pid_t child, const std::string& name, std::string error) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) continue;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return Status();
  if (error.size() > kErrorBytes) error.erase(0, error.size() - kErrorBytes);
  while (error.ends_with('\n')) error.pop_back();
  if (WIFEXITED(status)) return Error(Code::kIo, name, ": exit code ", WEXITSTATUS(status), ": ", error);
  return Error(Code::kIo, name, ": killed by signal ", WTERMSIG(status), ": ", error);
}

void KeepMost(ProcessMemory& most, const ProcessMemory& now) {
  most.rss_bytes = std::max(most.rss_bytes, std::max(now.rss_bytes, now.peak_rss_bytes));
  most.pss_bytes = std::max(most.pss_bytes, now.pss_bytes);
  most.private_bytes = std::max(most.private_bytes, now.private_bytes);
}

}  // namespace

Result<StagedMemory> RunStaged(const std::vector<std::string>& command) {
  Pipe in, out, error;
  if (!in.ok() || !out.ok() || !error.ok()) return SystemError(errno, "cannot make a pipe for", command[0]);
  THIMBLE_ASSIGN_OR_RETURN(pid_t child, Spawn(command, {in.end(0), out.end(1), error.end(1)}));
  in.Close(0);
  out.Close(1);
  error.Close(1);
  StagedMemory memory;
  Status measured;
  std::string text, message;
  pollfd files[] = {{out.end(0), POLLIN, 0}, {error.end(0), POLLIN, 0}};
  while (files[0].fd >= 0 || files[1].fd >= 0) {
    const int ready = poll(files, 2, 1);
    if (ready < 0 && errno != EINTR) break;
    if (ready <= 0) {
      auto now = MeasureMemory(child);
      if (now.ok()) KeepMost(memory.peak, *now);
      continue;
    }
    if (files[1].revents != 0 && !ReadSome(files[1].fd, message)) files[1].fd = -1;
    if (files[0].revents != 0 && !ReadSome(files[0].fd, text)) files[0].fd = -1;
    for (std::size_t end; (end = text.find('\n')) != std::string::npos;) {
      const std::string line = text.substr(0, end);
      text.erase(0, end + 1);
      if (!line.starts_with("stage ")) {
        memory.lines.push_back(line);
        continue;
      }
      auto now = MeasureMemory(child);
      if (now.ok()) {
        KeepMost(memory.peak, *now);
        memory.stages[line.substr(6)] = *now;
      } else if (measured.ok()) {
        measured = now.status();
      }
      if (write(in.end(1), "\n", 1) != 1) in.Close(1);  // It has ended; Wait says how.
    }
  }
  in.Close(1);
  THIMBLE_RETURN_IF_ERROR(Wait(child, command[0], message));
  THIMBLE_RETURN_IF_ERROR(measured);
  return memory;
}

Result<double> TimeCommand(const std::vector<std::string>& command, int runs) {
  std::vector<double> times;
  for (int run = 0; run < runs; ++run) {
    Pipe error;
    if (!error.ok()) return SystemError(errno, "cannot make a pipe for", command[0]);
    const auto begin = std::chrono::steady_clock::now();
    THIMBLE_ASSIGN_OR_RETURN(pid_t child, Spawn(command, {-1, -1, error.end(1)}));
    error.Close(1);
    std::string message;
    while (ReadSome(error.end(0), message)) continue;
    THIMBLE_RETURN_IF_ERROR(Wait(child, command[0], message));
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count());
  }
  std::nth_element(times.begin(), times.begin() + runs / 2, times.end());
  return times[static_cast<std::size_t>(runs / 2)];
}

}  // namespace thimble::cli
