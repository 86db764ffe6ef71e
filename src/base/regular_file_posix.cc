// Paths of POSIX systems, which are bytes, what stat() says of files, and reading them.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "base/descriptor.h"
#include "base/error.h"
#include "base/path.h"
#include "base/regular_file.h"

namespace thimble::base {
namespace {

std::int64_t Nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

FileStamp StampFrom(const struct stat& status) {
#ifdef __APPLE__
  const timespec &written = status.st_mtimespec, &changed = status.st_ctimespec;
#else
  const timespec &written = status.st_mtim, &changed = status.st_ctim;
#endif
  return {static_cast<std::uint64_t>(status.st_size), Nanoseconds(written), Nanoseconds(changed),
          static_cast<std::uint64_t>(status.st_ino)};
}

}  // namespace

std::filesystem::path ToPath(const std::string& text) { return text; }
std::string FromPath(const std::filesystem::path& path) { return path.native(); }

Result<FileStamp> StampOf(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) return SystemError(errno, "cannot find", path);
  if (!S_ISREG(status.st_mode)) return Error(Code::kInvalidArgument, path, ": expected a regular file");
  return StampFrom(status);
}

std::optional<OpenFile> Describe(std::intptr_t handle) {
  struct stat status = {};
  if (fstat(static_cast<int>(handle), &status) != 0) return std::nullopt;
  OpenFile file = {StampFrom(status), static_cast<std::uint64_t>(status.st_dev), S_ISREG(status.st_mode)};
  if (status.st_nlink == 0) file.stamp.changed = 0;
  return file;
}

bool IsSettled(const FileStamp& stamp) {
  constexpr std::int64_t kStep = 2'000'000'000;
  timespec now = {};
  if (clock_gettime(CLOCK_REALTIME, &now) != 0) return false;
  return std::max(stamp.written, stamp.changed) < Nanoseconds(now) - kStep;
}

std::chrono::system_clock::time_point LastUseOf(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) return {};
  return std::chrono::system_clock::from_time_t(std::max(status.st_atime, status.st_mtime));
}

std::optional<FileIdentity> IdentityOf(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return FileIdentity{static_cast<std::uint64_t>(status.st_dev), static_cast<std::uint64_t>(status.st_ino)};
}

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
  return ReadAllAt(static_cast<int>(file_), offset, out, path_);
}

}  // namespace thimble::base
