// Writing to descriptors; and a temporary file, a flush, and a new name, on POSIX systems.

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"

namespace thimble::base {
namespace {

// Calls `write_some(bytes)` until everything is written.
template <typename WriteSome>
Status Repeat(int file, std::span<const std::byte> bytes, const std::string& path, const WriteSome& write_some) {
  while (!bytes.empty()) {
    const ssize_t count = write_some(bytes);
    if (count > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    } else if (count == 0) {  // Nothing would tell when to try again.
      return Error(Code::kIo, "cannot write ", path, ": the system wrote 0 of ", bytes.size(), " bytes");
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      pollfd room = {file, POLLOUT, 0};
      if (poll(&room, 1, -1) < 0 && errno != EINTR) return SystemError(errno, "cannot write", path);
    } else if (errno != EINTR) {
      return SystemError(errno, "cannot write", path);
    }
  }
  return Status();
}

// With its slash; "./" for a name alone.
std::string FolderOf(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "./" : path.substr(0, slash + 1);
}

std::string RealPath(const std::string& path) {
  char* real = realpath(path.c_str(), nullptr);
  std::string result = real == nullptr ? "" : real;
  std::free(real);
  return result;
}

constexpr std::string_view kNameMiddle = ".thimble-", kNameEnd = ".tmp";
constexpr std::size_t kRandomLetters = 8;

// What the names of temporary files of `target` begin with.
std::string NamePrefix(const std::string& target) {
  constexpr std::size_t kMaxName = 255;
  std::string prefix = target;
  const std::size_t longest = target.rfind('/') + 1 + kMaxName - kNameMiddle.size() - kRandomLetters - kNameEnd.size();
  if (prefix.size() > longest) {
    std::size_t end = longest;  // Some file systems accept whole characters only.
    while ((static_cast<unsigned char>(prefix[end]) & 0xC0) == 0x80) --end;
    prefix.resize(end);
  }
  return prefix.append(kNameMiddle);
}

// Empty where the system has no random bytes.
std::string RandomName(const std::string& target) {
  constexpr std::string_view kLetters = "0123456789abcdefghijklmnopqrstuvwxyz";
  std::uint8_t random[kRandomLetters];
  if (getentropy(random, sizeof random) != 0) return "";
  std::string name = NamePrefix(target);
  for (std::uint8_t byte : random) name += kLetters[byte % kLetters.size()];
  return name.append(kNameEnd);
}

bool IsNamed(int file, const std::string& name) {
  struct stat here = {}, there = {};
  return fstat(file, &here) == 0 && lstat(name.c_str(), &there) == 0 && here.st_dev == there.st_dev &&
         here.st_ino == there.st_ino;
}

// Removes temporary files of `target` whose processes have ended without doing so: nobody holds their lock.
void Sweep(const std::string& target) {
  const std::string folder = FolderOf(target), prefix = NamePrefix(target).substr(target.rfind('/') + 1);
  std::vector<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.size() == prefix.size() + kRandomLetters + kNameEnd.size() && name.starts_with(prefix) &&
        name.ends_with(kNameEnd)) {
      names.push_back(folder + name);
    }
  }
  for (const std::string& name : names) {
    constexpr int kFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    int file = open(name.c_str(), O_RDWR | kFlags);  // Some file systems lock only what is open for writing.
    if (file < 0) file = open(name.c_str(), O_RDONLY | kFlags);
    if (file < 0) continue;
    if (flock(file, LOCK_EX | LOCK_NB) == 0 && IsNamed(file, name)) unlink(name.c_str());
    close(file);
  }
}

// Through which a file without a name is given one.
struct ProcPath {
  explicit ProcPath(int file) { std::snprintf(text, sizeof text, "/proc/self/fd/%d", file); }
  char text[32];
};

// A file without a name in `folder`; -1 where the file system, the kernel or a missing /proc does not allow it.
int OpenUnnamed([[maybe_unused]] const std::string& folder, [[maybe_unused]] mode_t mode) {
#ifdef O_TMPFILE
  const int file = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
  if (file < 0 || access(ProcPath(file).text, F_OK) == 0) return file;
  close(file);
#endif
  return -1;
}

// A new locked file. -1 with errno on failure.
int OpenNamed(const std::string& target, mode_t mode, std::string& name, Leftover& leftover) {
  constexpr int kTries = 100;
  for (int i = 0; i < kTries; ++i) {
    name = RandomName(target);
    if (name.empty()) return -1;
    leftover = Leftover(name);
    const int file = open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0 && errno != EEXIST) return -1;
    if (file < 0) continue;
    while (flock(file, LOCK_EX) != 0 && errno == EINTR) continue;
    if (IsNamed(file, name)) return file;
    close(file);  // Another process took it for abandoned before it was locked.
  }
  errno = EEXIST;
  return -1;
}

// A file that never has a name. -1 with errno on failure.
int OpenElsewhere() {
  const char* variable = std::getenv("TMPDIR");
  const std::string folder = variable == nullptr || *variable == '\0' ? "/tmp" : variable;
  std::string name = folder + "/thimble-XXXXXX";
  if (const int file = OpenUnnamed(folder, 0600); file >= 0) return file;
  const int file = mkstemp(name.data());
  if (file < 0) return -1;
  unlink(name.c_str());
  fcntl(file, F_SETFD, FD_CLOEXEC);
  return file;
}

// Whether `error` says that no name may be made or replaced here, though the file itself may be writable: a folder of
// another user, one with the sticky bit, a read-only file system or one file mounted.
bool IsNameRefused(int error) { return error == EACCES || error == EPERM || error == EROFS || error == EBUSY; }

// Copies all bytes to the beginning of `to`.
Status Copy(int from, int to, const std::string& path) {
  std::vector<std::byte> buffer(std::size_t{64} << 10);
  for (std::uint64_t at = 0;;) {
    const ssize_t count = pread(from, buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (count == 0) return Status();
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return SystemError(errno, "cannot read the temporary file of", path);
    const auto bytes = std::span(buffer).first(static_cast<std::size_t>(count));
    THIMBLE_RETURN_IF_ERROR(WriteAllAt(to, at, bytes, path));
    at += bytes.size();
  }
}

// Gives `file` the owner, group and permissions of what it replaces, as far as that opens it to nobody new.
void Inherit(int file, const struct stat& old) {
  struct stat now = {};
  const bool owned = fchown(file, old.st_uid, old.st_gid) == 0;
  if (!owned && fchown(file, static_cast<uid_t>(-1), old.st_gid) != 0) errno = 0;  // Then the mode is narrowed.
  if (fstat(file, &now) != 0) return;
  mode_t mode = old.st_mode & 0777;
  if (now.st_gid != old.st_gid) mode &= 0707 | (mode << 3 & 0070);  // Another group may do what everybody may.
  fchmod(file, mode);
}

}  // namespace

std::string ResolveTarget(const std::string& path) {
  constexpr int kMaxLinks = 40;  // As many as Linux follows.
  std::string target = path;
  for (int links = 0; links < kMaxLinks; ++links) {
    if (std::string real = RealPath(target); !real.empty()) return real;
    std::string there(4096, '\0');
    const ssize_t length = readlink(target.c_str(), there.data(), there.size());
    if (length < 0) break;
    there.resize(static_cast<std::size_t>(length));  // Leads to what is to be made.
    target = there.starts_with('/') ? there : FolderOf(target) + there;
  }
  const std::string folder = RealPath(FolderOf(target));
  if (folder.empty()) return target;
  return (folder == "/" ? "" : folder) + "/" + target.substr(target.rfind('/') + 1);
}

Status WriteAll(int file, std::span<const std::byte> bytes, const std::string& path) {
  return Repeat(file, bytes, path,
                [&](std::span<const std::byte> rest) { return write(file, rest.data(), rest.size()); });
}

Status WriteAllAt(int file, std::uint64_t offset, std::span<const std::byte> bytes, const std::string& path) {
  const std::uint64_t end = offset + bytes.size();
  return Repeat(file, bytes, path, [&](std::span<const std::byte> rest) {
    return pwrite(file, rest.data(), rest.size(), static_cast<off_t>(end - rest.size()));
  });
}

Result<AtomicFile> AtomicFile::Create(const std::string& path) {
  if (path.empty()) return Error(Code::kInvalidArgument, "the name of the file to write is empty");
  AtomicFile file(path, ResolveTarget(path));
  struct stat old = {};
  const bool replaces = lstat(file.target_.c_str(), &old) == 0;
  if (replaces && S_ISLNK(old.st_mode)) return SystemError(ELOOP, "cannot write", path);
  if ((replaces && !S_ISREG(old.st_mode)) || file.target_.ends_with('/')) {
    return Error(Code::kInvalidArgument, path, ": expected the name of a file, found ",
                 !replaces || S_ISDIR(old.st_mode) ? "that of a folder" : "something other than a regular file");
  }
  Sweep(file.target_);
  // Only the kernel applies the umask without changing it, for a moment, for every thread of the process.
  const mode_t mode = replaces ? (old.st_mode & 0777) | 0600 : 0666;
  file.file_ = OpenUnnamed(FolderOf(file.target_), mode);
  if (file.file_ < 0) file.file_ = OpenNamed(file.target_, mode, file.name_, file.leftover_);
  if (file.file_ >= 0) return file;
  const int error = errno;
  file.name_.clear();
  file.leftover_ = Leftover();
  if (replaces && IsNameRefused(error) && access(file.target_.c_str(), W_OK) == 0) {
    file.in_place_ = true;
    file.file_ = OpenElsewhere();
  }
  if (file.file_ < 0) return SystemError(error, "cannot create a file beside", path);
  return file;
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      name_(std::exchange(other.name_, {})),
      leftover_(std::move(other.leftover_)),
      remark_(std::move(other.remark_)),
      in_place_(other.in_place_),
      file_(std::exchange(other.file_, -1)) {}

AtomicFile::~AtomicFile() {
  if (!name_.empty()) unlink(name_.c_str());
  if (file_ >= 0) close(file_);
}

// Returns 0 or an errno.
int AtomicFile::TakeName() {
  struct stat old = {};
  bool replaces = lstat(target_.c_str(), &old) == 0;
  if (!name_.empty()) {
    if (replaces) Inherit(file_, old);
  } else {
    const ProcPath from(file_);
    if (!replaces) {
      if (linkat(AT_FDCWD, from.text, AT_FDCWD, target_.c_str(), AT_SYMLINK_FOLLOW) == 0) return 0;
      if (errno != EEXIST) return errno;
      replaces = lstat(target_.c_str(), &old) == 0;  // Another process was faster.
    }
    // A link cannot replace a file, but a name can: for a moment the file has one of its own.
    flock(file_, LOCK_EX | LOCK_NB);
    do {
      name_ = RandomName(target_);
      if (name_.empty()) return errno;
      leftover_ = Leftover(name_);
      if (linkat(AT_FDCWD, from.text, AT_FDCWD, name_.c_str(), AT_SYMLINK_FOLLOW) == 0) break;
      name_.clear();
    } while (errno == EEXIST);
    if (name_.empty()) return errno;
    if (replaces) Inherit(file_, old);
  }
  if (rename(name_.c_str(), target_.c_str()) != 0) return errno;
  name_.clear();
  return 0;
}

// Copies the temporary file into one that has a name.
Status AtomicFile::MoveToNamed() {
  struct stat status = {};
  if (fstat(file_, &status) != 0) return SystemError(errno, "cannot read the mode of", path_);
  AtomicFile named(path_, target_);
  named.file_ = OpenNamed(target_, status.st_mode & 0777, named.name_, named.leftover_);
  if (named.file_ < 0) return SystemError(errno, "cannot create a file beside", path_);
  THIMBLE_RETURN_IF_ERROR(Copy(file_, named.file_, path_));
  if (fsync(named.file_) != 0) return SystemError(errno, "cannot flush", path_);
  std::swap(file_, named.file_);
  std::swap(name_, named.name_);
  std::swap(leftover_, named.leftover_);
  return Status();
}

// Copies the temporary file over the bytes of the one that has the name.
Status AtomicFile::CopyInPlace() {
  struct Descriptor {
    ~Descriptor() {
      if (number >= 0) close(number);
    }
    int number;
  } out = {open(target_.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW)};
  struct stat from = {}, to = {};
  if (out.number < 0 || fstat(out.number, &to) != 0 || fstat(file_, &from) != 0) {
    return SystemError(errno, "cannot write", path_);
  }
#ifdef __linux__
  // Takes the room first, so that a full disk leaves the old contents.
  if (from.st_size > to.st_size && fallocate(out.number, 0, 0, from.st_size) != 0 && errno != EOPNOTSUPP) {
    Status status = SystemError(errno, "cannot write", path_);
    if (ftruncate(out.number, to.st_size) != 0) return SystemError(errno, "cannot shorten", path_);
    return status;
  }
#endif
  THIMBLE_RETURN_IF_ERROR(Copy(file_, out.number, path_));
  if (ftruncate(out.number, from.st_size) != 0) return SystemError(errno, "cannot shorten", path_);
  if (fsync(out.number) != 0) return SystemError(errno, "cannot flush", path_);
  remark_ = path_ +
            " was overwritten in place, because its name cannot be given to another file; an interruption would have "
            "left it incomplete";
  return close(std::exchange(out.number, -1)) == 0 ? Status() : SystemError(errno, "cannot write", path_);
}

Status AtomicFile::Commit() {
  if (!in_place_) {
    if (fsync(file_) != 0) return SystemError(errno, "cannot flush", path_);
    // Some file systems report a full disk only on closing. This one stays open, as its lock ends with it.
    const int copy = fcntl(file_, F_DUPFD_CLOEXEC, 0);
    if (copy >= 0 && close(copy) != 0) return SystemError(errno, "cannot write", path_);
    int error = TakeName();
    // Some systems allow files without a name, but not links to them.
    if (error != 0 && name_.empty() && MoveToNamed().ok()) error = TakeName();
    in_place_ = IsNameRefused(error) && access(target_.c_str(), W_OK) == 0;
    if (error != 0 && !in_place_) return SystemError(error, "cannot rename to", path_);
  }
  if (in_place_) THIMBLE_RETURN_IF_ERROR(CopyInPlace());
  if (!name_.empty()) unlink(name_.c_str());
  name_.clear();
  leftover_ = Leftover();
  close(std::exchange(file_, -1));
  // The name must survive a crash too; where the folder cannot be opened for that, the file is still whole.
  const int folder = open(FolderOf(target_).c_str(), O_RDONLY | O_CLOEXEC);
  if (folder >= 0) {
    fsync(folder);
    close(folder);
  }
  return Status();
}

Result<std::string> TakeNameOf(const std::string& from, const std::string& to) {
  AtomicFile file(to, to);
  file.file_ = open(from.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (file.file_ < 0) return SystemError(errno, "cannot open", from);
  file.name_ = from;
  const Status status = file.Commit();
  file.name_.clear();  // It stays where that failed.
  if (!status.ok()) return status;
  return file.remark();
}

}  // namespace thimble::base
