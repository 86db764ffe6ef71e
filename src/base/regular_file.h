// A regular file, open for reading; by what a file shows that it has changed, without being read; and whether two
// paths, links included, lead to one file.

#ifndef THIMBLE_BASE_REGULAR_FILE_H_
#define THIMBLE_BASE_REGULAR_FILE_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "thimble/status.h"

namespace thimble::base {

struct FileStamp {
  std::uint64_t size = 0;
  std::int64_t written = 0;  // When its bytes were last written, in the finest unit that the system has.
  std::int64_t changed = 0;  // The same of its name, owner and times, where the system has that; else 0.
  std::uint64_t number = 0;  // Of the file in its file system, if the system has one; else 0.
  bool operator==(const FileStamp&) const = default;

  // Whether it is another file, or one that was written to. A name, a link or permissions change only `changed`.
  bool WrittenSince(const FileStamp& earlier) const {
    return size != earlier.size || written != earlier.written || number != earlier.number;
  }
};

// Of the file behind symbolic links. kNotFound or kIo; kInvalidArgument when it is no regular file.
Result<FileStamp> StampOf(const std::string& path);

// What an open file shows.
struct OpenFile {
  FileStamp stamp;           // `changed` is 0 when the file was removed.
  std::uint64_t device = 0;  // Tells apart files with the same number.
  bool regular = false;
};
// `handle` is a descriptor, or a HANDLE of Windows. Unset, with the system's error number, on failure.
// Async-signal-safe.
std::optional<OpenFile> Describe(std::intptr_t handle);

// Whether a write from now on would show in the stamp: file systems count time in steps of up to two seconds.
bool IsSettled(const FileStamp& stamp);

// When the file was last read, or written if that is later; the epoch when it cannot be told.
std::chrono::system_clock::time_point LastUseOf(const std::string& path);

// Move-only. Thread-safe.
class RegularFile {
 public:
  // kNotFound or kIo when it cannot be opened; kInvalidArgument when it is a directory, a pipe or the like, at which it
  // never waits.
  static Result<RegularFile> Open(const std::string& path);
  // The open file `handle` (see handle()), which stays its owner's; it must allow reading. `path` is for messages.
  static Result<RegularFile> Share(std::intptr_t handle, const std::string& path);

  RegularFile(RegularFile&& other) noexcept
      : path_(std::move(other.path_)), file_(std::exchange(other.file_, kNone)), opened_(other.opened_) {}
  RegularFile& operator=(RegularFile&&) = delete;
  ~RegularFile() { Close(); }

  const std::string& path() const { return path_; }
  // What the system knows it by: a descriptor, or a HANDLE of Windows.
  std::intptr_t handle() const { return file_; }
  // Bytes it had when it was opened.
  std::uint64_t size() const { return opened_.stamp.size; }
  // Its stamp when it was opened, and what distinguishes files with the same number.
  const FileStamp& stamp() const { return opened_.stamp; }
  std::uint64_t device() const { return opened_.device; }
  // Its stamp now. kIo. Allocates nothing unless it fails.
  Result<FileStamp> StampNow() const;

  // Fills `out` from byte `offset` on. kIo when the file has become shorter.
  Status ReadAt(std::uint64_t offset, std::span<std::byte> out) const;
  // Ends reading; what was found at opening stays.
  void Close();

 private:
  static constexpr std::intptr_t kNone = -1;
  RegularFile(std::string path, std::intptr_t file) : path_(std::move(path)), file_(file) {}
  Status Measure();
  std::string path_;
  std::intptr_t file_ = kNone;
  OpenFile opened_;
};

struct FileIdentity {
  std::uint64_t volume = 0;
  std::uint64_t number = 0;  // Of the file on its volume.
  bool operator==(const FileIdentity&) const = default;
};

// Of the regular file behind a path or an open handle (see RegularFile::handle()); nullopt for anything else.
std::optional<FileIdentity> IdentityOf(const std::string& path);
std::optional<FileIdentity> IdentityOfHandle(std::intptr_t handle);

// A file that is read.
struct InputFile {
  std::string name;  // For messages.
  std::optional<FileIdentity> identity;
};
inline InputFile InputFileAt(const std::string& path) { return {path, IdentityOf(path)}; }

// kInvalidArgument, naming both, if the file that `output` names is one of `inputs`: writing it would destroy what is
// read.
Status CheckOutput(const std::string& output, const std::optional<FileIdentity>& identity,
                   std::span<const InputFile> inputs);

}  // namespace thimble::base

#endif  // THIMBLE_BASE_REGULAR_FILE_H_
