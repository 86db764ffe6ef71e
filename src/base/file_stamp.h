// By what a file shows that it has changed, without being read.

#ifndef THIMBLE_BASE_FILE_STAMP_H_
#define THIMBLE_BASE_FILE_STAMP_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "thimble/status.h"

namespace thimble::inline v0_1 {

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

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_BASE_FILE_STAMP_H_
