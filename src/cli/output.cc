// Buffered writing with rename.

#include "cli/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/error.h"

namespace thimble::cli {
namespace {

constexpr std::size_t kBufferBytes = 64 << 10;

}  // namespace

Result<Output> Output::Open(const std::string& path) {
  Output output;
  struct stat status;
  if (path.empty() || path == "-") {
    output.path_ = "standard output";
    output.file_ = STDOUT_FILENO;
  } else if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    output.path_ = path;
    output.file_ = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    output.owned_ = true;
  } else {
    output.path_ = path;
    // The file behind a symbolic link is replaced, not the link.
    char* real = realpath(path.c_str(), nullptr);
    output.target_ = real == nullptr ? path : real;
    std::free(real);
    output.temporary_ = output.target_ + ".XXXXXX";
    output.file_ = mkostemp(output.temporary_.data(), O_CLOEXEC);
    output.owned_ = true;
    if (output.file_ >= 0) {
      mode_t mask = umask(0);
      umask(mask);
      fchmod(output.file_, 0666 & ~mask);
    }
  }
  if (output.file_ < 0) {
    int error = errno;
    output.temporary_.clear();
    return SystemError(error, "cannot write", output.path_);
  }
  int flags = fcntl(output.file_, F_GETFL);
  if (flags >= 0 && (flags & O_APPEND) == 0) output.start_ = lseek(output.file_, 0, SEEK_CUR);
  return output;
}

Output::Output(Output&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::exchange(other.file_, -1)),
      owned_(std::exchange(other.owned_, false)),
      start_(other.start_),
      buffer_(std::move(other.buffer_)) {}

Output::~Output() {
  if (owned_ && file_ >= 0) close(file_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

Status Output::Write(std::string_view bytes) {
  buffer_ += bytes;
  return buffer_.size() < kBufferBytes ? Status() : Flush();
}

Status Output::Flush() {
  std::size_t done = 0;
  while (done < buffer_.size()) {
    ssize_t count = write(file_, buffer_.data() + done, buffer_.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(errno, "cannot write", path_);
    done += static_cast<std::size_t>(count);
  }
  buffer_.clear();
  return Status();
}

bool Output::seekable() const { return start_ >= 0; }

Status Output::WriteAt(std::uint64_t offset, std::string_view bytes) {
  THIMBLE_RETURN_IF_ERROR(Flush());
  while (!bytes.empty()) {
    ssize_t count = pwrite(file_, bytes.data(), bytes.size(), start_ + static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(errno, "cannot write", path_);
    bytes.remove_prefix(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return Status();
}

Status Output::Finish() {
  THIMBLE_RETURN_IF_ERROR(Flush());
  if (!owned_) return Status();
  int file = std::exchange(file_, -1);
  // Some file systems report a full disk only here.
  if (close(file) != 0) return SystemError(errno, "cannot write", path_);
  if (temporary_.empty()) return Status();
  if (rename(temporary_.c_str(), target_.c_str()) != 0) return SystemError(errno, "cannot write", path_);
  temporary_.clear();
  return Status();
}

bool Output::is_terminal() const { return isatty(file_) == 1; }

}  // namespace thimble::cli
