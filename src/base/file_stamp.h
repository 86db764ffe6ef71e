// By what a file shows that it has changed, without being read.

#ifndef THIMBLE_BASE_FILE_STAMP_H_
#define THIMBLE_BASE_FILE_STAMP_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "thimble/status.h"

namespace thimble::inline v0_1 {

struct FileStamp {
  std::uint64_t size = 0;
  std::int64_t written = 0;  // When its bytes were last written, in the finest unit that the system has.
  std::int64_t changed = 0;  // The same of its name, owner and times, where the system has that; else 0.
  std::uint64_t number = 0;  // Of the file in its file system, if the system has one; else 0.
  bool operator==(const FileStamp&) const = default;
};

// Of the file behind symbolic links. kNotFound or kIo; kInvalidArgument when it is no regular file.
Result<FileStamp> StampOf(const std::string& path);

// When the file was last read, or written if that is later; the epoch when it cannot be told.
std::chrono::system_clock::time_point LastUseOf(const std::string& path);

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_BASE_FILE_STAMP_H_
