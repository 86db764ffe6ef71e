// pread, pwrite and ftruncate.

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/shared_file.h"

namespace thimble::base {

Result<SharedFile> SharedFile::Open(const std::string& path, bool create) {
  // A pipe must not make the caller wait.
  int file = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | (create ? O_CREAT : 0), 0600);
  const bool writable = file >= 0;
  if (!writable && (errno == EACCES || errno == EPERM || errno == EROFS)) {
    const int reason = errno;
    file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (file < 0 && errno == ENOENT) errno = create ? reason : ENOENT;
  }
  if (file < 0) return SystemError(errno, "cannot open", path);
  SharedFile opened(path, file, writable);
  struct stat status = {};
  if (fstat(file, &status) != 0) return SystemError(errno, "cannot open", path);
  if (!S_ISREG(status.st_mode)) return Error(Code::kInvalidArgument, path, ": expected a regular file");
  return opened;
}

SharedFile::~SharedFile() {
  if (file_ != kNone) close(static_cast<int>(file_));
}

Result<std::uint64_t> SharedFile::Size() const {
  struct stat status = {};
  if (fstat(static_cast<int>(file_), &status) != 0) return SystemError(errno, "cannot read the size of", path_);
  return static_cast<std::uint64_t>(status.st_size);
}

Status SharedFile::Grow(std::uint64_t size) {
  if (ftruncate(static_cast<int>(file_), static_cast<off_t>(size)) == 0) return Status();
  return SystemError(errno, "cannot grow", path_);
}

bool SharedFile::AllowsSize(std::uint64_t size) {
  struct rlimit limit = {};
  return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur;
}

bool SharedFile::ReadAt(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const ssize_t count = pread(static_cast<int>(file_), out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    offset += static_cast<std::uint64_t>(count);
    out = out.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

bool SharedFile::WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = pwrite(static_cast<int>(file_), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    offset += static_cast<std::uint64_t>(count);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

}  // namespace thimble::base
