// Temporary file, flush, rename, on POSIX systems.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"

namespace thimble {

Status WriteAll(int file, std::span<const std::byte> bytes, const std::string& path) {
  while (!bytes.empty()) {
    ssize_t count = write(file, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(errno, "cannot write", path);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return Status();
}

Result<AtomicFile> AtomicFile::Create(const std::string& path) {
  char* real = realpath(path.c_str(), nullptr);
  std::string target = real == nullptr ? path : real;
  std::free(real);
  std::string temporary = target + ".XXXXXX";
  int file = mkostemp(temporary.data(), O_CLOEXEC);
  if (file < 0) return SystemError(errno, "cannot create a file beside", path);
  // mkostemp allows the owner alone; what takes the name is for everybody whom the umask lets in.
  mode_t mask = umask(0);
  umask(mask);
  fchmod(file, 0666 & ~mask);
  return AtomicFile(path, std::move(target), std::move(temporary), file);
}

AtomicFile::AtomicFile(std::string path, std::string target, std::string temporary, int file)
    : path_(std::move(path)), target_(std::move(target)), temporary_(std::move(temporary)), file_(file) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      file_(std::exchange(other.file_, -1)) {}

AtomicFile::~AtomicFile() {
  if (file_ >= 0) close(file_);
  if (!temporary_.empty()) unlink(temporary_.c_str());
}

Status AtomicFile::WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    ssize_t count = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(errno, "cannot write", path_);
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return Status();
}

Status AtomicFile::Commit() {
  if (fsync(file_) != 0) return SystemError(errno, "cannot flush", path_);
  // Some file systems report a full disk only on closing.
  if (close(std::exchange(file_, -1)) != 0) return SystemError(errno, "cannot write", path_);
  if (rename(temporary_.c_str(), target_.c_str()) != 0) return SystemError(errno, "cannot rename to", path_);
  temporary_.clear();
  // The rename must survive a crash too; where the directory cannot be opened for that, the file is still whole.
  std::size_t slash = target_.rfind('/');
  int directory = open(slash == std::string::npos ? "." : target_.substr(0, slash + 1).c_str(), O_RDONLY | O_CLOEXEC);
  if (directory >= 0) {
    fsync(directory);
    close(directory);
  }
  return Status();
}

}  // namespace thimble
