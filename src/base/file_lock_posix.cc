// flock, asked again and again so that waiting can be ended.

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/file_lock.h"

namespace thimble::base {
namespace {

constexpr std::chrono::milliseconds kPause{50};

// Whether `path` still names the open file: its last holder may have removed it.
bool Names(const std::string& path, int file) {
  struct stat here = {}, there = {};
  return fstat(file, &here) == 0 && stat(path.c_str(), &there) == 0 && here.st_dev == there.st_dev &&
         here.st_ino == there.st_ino;
}

}  // namespace

Result<FileLock> FileLock::Acquire(const std::string& path, const std::function<bool()>& go_on) {
  for (;;) {
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file < 0 && errno == ENOENT) {  // Its folder goes with the last lock in it.
      std::error_code error;
      std::filesystem::create_directories(std::filesystem::path(path).parent_path(), error);
      if (!error) continue;
      return Error(Code::kIo, "cannot lock ", path, ": ", error.message());
    }
    if (file < 0) return SystemError(errno, "cannot lock", path);
    FileLock lock(path, file);
    while (flock(file, LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) {
        Status status = SystemError(errno, "cannot lock", path);
        close(static_cast<int>(std::exchange(lock.file_, -1)));
        return status;
      }
      if (!go_on()) {
        close(static_cast<int>(std::exchange(lock.file_, -1)));  // The file is its holder's.
        return Error(Code::kIo, "waiting for another process was aborted");
      }
      std::this_thread::sleep_for(kPause);
    }
    if (Names(path, file)) {
      lock.leftover_ = Leftover(path);
      return lock;
    }
    close(static_cast<int>(std::exchange(lock.file_, -1)));
  }
}

FileLock::FileLock(FileLock&& other) noexcept
    : path_(std::move(other.path_)), leftover_(std::move(other.leftover_)), file_(std::exchange(other.file_, -1)) {}

FileLock::~FileLock() {
  if (file_ < 0) return;
  leftover_ = Leftover();  // First: what has that path afterwards may be another process's.
  unlink(path_.c_str());
  close(static_cast<int>(file_));
}

}  // namespace thimble::base
