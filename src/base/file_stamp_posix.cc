// stat() of POSIX systems.

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <ctime>

#include "base/error.h"
#include "base/file_stamp.h"

namespace thimble::inline v0_1 {
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

}  // namespace thimble::inline v0_1
