// Descriptors and signals.

#include "cli/process_start.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/leftover.h"

namespace thimble::cli {
namespace {

extern "C" void RemoveAndEnd(int number) {
  base::RemoveLeftovers();
  std::raise(number);  // Its default action, as the handler is for one signal only.
}

}  // namespace

bool OccupyStandardDescriptors() {
  for (int file : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(file, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free descriptor is this one. Open the other way round, it gives an error when it is used; the root
    // folder, where a container has no /dev/null, gives one too.
    int opened = open("/dev/null", file == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (opened < 0) opened = open("/", O_RDONLY);
    if (opened != file) return false;
  }
  return true;
}

void HandleSignals() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  struct sigaction action = {};
  action.sa_handler = RemoveAndEnd;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  for (int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before = {};
    if (sigaction(number, nullptr, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(number, &action, nullptr);
  }
}

std::vector<std::string>& OwnCommand() {
  static std::vector<std::string> command;
  return command;
}

}  // namespace thimble::cli
