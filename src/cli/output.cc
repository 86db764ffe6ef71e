// Buffered writing.

#include "cli/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <utility>

#include "base/error.h"

namespace thimble::cli {

namespace {

// A file's bytes that are not on the disk yet count against the control group and cannot be dropped, so that a slow
// disk would get the process killed.
[[maybe_unused]] constexpr std::size_t kUnsyncedBytes = 256 << 10;

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
    THIMBLE_ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
    output.atomic_.emplace(std::move(file));
    output.path_ = path;
    output.file_ = output.atomic_->descriptor();
  }
  if (output.file_ < 0) return SystemError(errno, "cannot write", output.path_);
  int flags = fcntl(output.file_, F_GETFL);
  if (flags >= 0 && (flags & O_APPEND) == 0) output.start_ = lseek(output.file_, 0, SEEK_CUR);
  return output;
}

Output::Output(Output&& other) noexcept
    : path_(std::move(other.path_)),
      atomic_(std::move(other.atomic_)),
      file_(other.file_),
      owned_(std::exchange(other.owned_, false)),
      start_(other.start_),
      unsynced_(other.unsynced_),
      buffer_(std::move(other.buffer_)) {}

Output::~Output() {
  if (owned_) close(file_);
}

Status Output::Write(std::string_view bytes) {
  buffer_ += bytes;
  return buffer_.size() < kOutputBufferBytes ? Status() : Flush();
}

Status Output::Flush() {
  THIMBLE_RETURN_IF_ERROR(WriteAll(file_, std::as_bytes(std::span(buffer_)), path_));
  unsynced_ += buffer_.size();
  buffer_.clear();
#ifdef SYNC_FILE_RANGE_WRITE
  if (atomic_ && unsynced_ >= kUnsyncedBytes) {
    sync_file_range(file_, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    unsynced_ = 0;
  }
#endif
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
  if (atomic_) return atomic_->Commit();
  if (!std::exchange(owned_, false)) return Status();
  // Some devices report a failure only on closing.
  return close(file_) == 0 ? Status() : SystemError(errno, "cannot write", path_);
}

bool Output::is_terminal() const { return isatty(file_) == 1; }

}  // namespace thimble::cli
