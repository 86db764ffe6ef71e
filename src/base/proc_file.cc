// Reading the kernel's small text files.

#include "base/proc_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

namespace thimble {

ProcFile::ProcFile(const char* path) {
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    error_ = errno;
    return;
  }
  while (size_ < sizeof bytes_) {
    ssize_t count = read(file, bytes_ + size_, sizeof bytes_ - size_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) error_ = errno;
    if (count <= 0) break;
    size_ += static_cast<std::size_t>(count);
  }
  close(file);
}

std::optional<double> ProcFile::Number(std::string_view key) const {
  std::size_t begin = text().find(key);
  if (begin == std::string_view::npos) return std::nullopt;
  begin = text().find_first_not_of(" \t", begin + key.size());
  if (begin == std::string_view::npos) return std::nullopt;
  double value = 0;
  auto [end, error] = std::from_chars(bytes_ + begin, bytes_ + size_, value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

}  // namespace thimble
