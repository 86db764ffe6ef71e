// Reading files on POSIX systems.

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/regular_file.h"

namespace thimble::inline v0_1 {

Result<RegularFile> RegularFile::Open(const std::string& path) {
  int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // A pipe must not make the caller wait.
  if (descriptor < 0) return SystemError(errno, "cannot open", path);
  RegularFile file(path, descriptor);
  THIMBLE_RETURN_IF_ERROR(file.Measure());
  return file;
}

Result<RegularFile> RegularFile::Share(std::intptr_t handle, const std::string& path) {
  const int descriptor = fcntl(static_cast<int>(handle), F_DUPFD_CLOEXEC, 0);
  if (descriptor < 0) return SystemError(errno, "cannot open", path);
  RegularFile file(path, descriptor);
  THIMBLE_RETURN_IF_ERROR(file.Measure());
  return file;
}

Status RegularFile::Measure() {
  const std::optional<OpenFile> opened = Describe(file_);
  if (!opened) return SystemError(errno, "cannot read the size of", path_);
  if (!opened->regular) return Error(Code::kInvalidArgument, path_, ": expected a regular file");
  opened_ = *opened;
  return Status();
}

Result<FileStamp> RegularFile::StampNow() const {
  const std::optional<OpenFile> now = Describe(file_);
  if (!now) return SystemError(errno, "cannot read the size of", path_);
  return now->stamp;
}

void RegularFile::Close() {
  if (file_ != kNone) close(static_cast<int>(std::exchange(file_, kNone)));
}

Status RegularFile::ReadAt(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    ssize_t count = pread(static_cast<int>(file_), out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(errno, "cannot read", path_);
    if (count == 0) return Error(Code::kIo, path_, ": was truncated while it was read");
    offset += static_cast<std::uint64_t>(count);
    out = out.subspan(static_cast<std::size_t>(count));
  }
  return Status();
}

}  // namespace thimble::inline v0_1
