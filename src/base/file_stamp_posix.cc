// stat() of POSIX systems.

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/file_stamp.h"

namespace thimble::inline v0_1 {
namespace {

std::int64_t Nanoseconds(const timespec& time) {
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

Result<FileStamp> StampOf(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) return SystemError(errno, "cannot find", path);
  if (!S_ISREG(status.st_mode)) return Error(Code::kInvalidArgument, path, ": expected a regular file");
#ifdef __APPLE__
  const timespec &written = status.st_mtimespec, &changed = status.st_ctimespec;
#else
  const timespec &written = status.st_mtim, &changed = status.st_ctim;
#endif
  return FileStamp{static_cast<std::uint64_t>(status.st_size), Nanoseconds(written), Nanoseconds(changed),
                   static_cast<std::uint64_t>(status.st_ino)};
}

std::chrono::system_clock::time_point LastUseOf(const std::string& path) {
  struct stat status = {};
  if (stat(path.c_str(), &status) != 0) return {};
  return std::chrono::system_clock::from_time_t(std::max(status.st_atime, status.st_mtime));
}

}  // namespace thimble::inline v0_1
