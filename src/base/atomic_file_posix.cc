// Temporary file, flush, rename, on POSIX systems.

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"

namespace thimble::inline v0_1 {

namespace {

// Opens a new file whose name is that of `target` and a random end. Its mode is what the umask leaves of 0666: only the
// kernel applies the umask without changing it, for a moment, for every thread of the process. -1 with errno on
// failure.
int CreateBeside(const std::string& target, std::string& name) {
  constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyz";
  constexpr int kTries = 100;
  int file = -1;
  for (int i = 0; i < kTries; ++i) {
    std::uint8_t random[8];
    if (getentropy(random, sizeof random) != 0) return -1;
    name = target + ".";
    for (std::uint8_t byte : random) name += kLetters[byte % kLetters.size()];
    file = open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (file >= 0 || errno != EEXIST) break;
  }
  return file;
}

}  // namespace

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
  std::string temporary;
  const int file = CreateBeside(target, temporary);
  if (file < 0) return SystemError(errno, "cannot create a file beside", path);
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

}  // namespace thimble::inline v0_1
