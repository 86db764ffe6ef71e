// Everything here that runs after a fault is async-signal-safe.

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/file_map.h"
#include "base/leftover.h"
#include "cli/options.h"
#include "cli/process_start.h"

namespace thimble::cli {
namespace {

const char* failed_command = "";
struct sigaction bus_before, segv_before;

// A message in a buffer of the stack.
class Message {
 public:
  Message& operator<<(std::string_view text) {
    const std::size_t count = std::min(text.size(), sizeof text_ - size_);
    std::memcpy(text_ + size_, text.data(), count);
    size_ += count;
    return *this;
  }
  Message& operator<<(std::uint64_t number) {
    char digits[20];
    return *this << std::string_view(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
  }
  void Write() const {
    // Nothing is left to do where that fails.
    if (write(STDERR_FILENO, text_, size_) < 0) return;
  }

 private:
  char text_[4608];  // A path of the longest kind and the words around it.
  std::size_t size_ = 0;
};

void Handle(int signal, siginfo_t* info, void*) {
  const bool fault = info->si_code > 0 && info->si_code != SI_USER;  // Not sent by a process.
  const base::MappedFault found = fault ? base::FindMappedFault(info->si_addr) : base::MappedFault();
  if (found.path == nullptr) {
    sigaction(signal, signal == SIGBUS ? &bus_before : &segv_before, nullptr);
    if (!fault) raise(signal);
    return;  // A fault happens again.
  }
  Message message;
  message << "thimble " << failed_command << ": " << found.path << ": ";
  if (found.size_now != found.size_opened) {
    message << "was changed while it was open: had " << found.size_opened << " bytes, has " << found.size_now;
  } else if (found.written) {
    message << "was changed while it was open: its contents differ";
  } else {
    message << "cannot be read: the disk or the network failed";
  }
  message << (found.written ? "; run the command again, and replace model files only by renaming, or use --load copy\n"
                            : "; run the command again when it can, or use --load copy\n");
  message.Write();
  base::RemoveLeftovers();
  _exit(kFailed);
}

}  // namespace

void HandleFaults(const char* command) {
  failed_command = command;
  struct sigaction action = {};
  action.sa_sigaction = Handle;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGBUS, &action, &bus_before);
  sigaction(SIGSEGV, &action, &segv_before);
}

}  // namespace thimble::cli
