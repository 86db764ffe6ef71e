// A regular file, open for reading.

#ifndef THIMBLE_BASE_REGULAR_FILE_H_
#define THIMBLE_BASE_REGULAR_FILE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "base/file_stamp.h"
#include "thimble/status.h"

namespace thimble::inline v0_1 {

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

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_BASE_REGULAR_FILE_H_
