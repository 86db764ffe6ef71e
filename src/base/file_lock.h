// A lock between processes, which ends with its holder however that ends.

#ifndef THIMBLE_BASE_FILE_LOCK_H_
#define THIMBLE_BASE_FILE_LOCK_H_

#include <cstdint>
#include <functional>
#include <string>

#include "base/leftover.h"
#include "thimble/status.h"

namespace thimble::base {

// Move-only. Holds the lock until destroyed, and then removes its file.
class FileLock {
 public:
  // Waits for whoever holds it, and asks `go_on` meanwhile, whose false is kIo. kIo when the file cannot be made;
  // its folder is made where it is missing.
  static Result<FileLock> Acquire(const std::string& path, const std::function<bool()>& go_on);
  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&&) = delete;
  ~FileLock();

 private:
  FileLock(std::string path, std::intptr_t file) : path_(std::move(path)), file_(file) {}
  std::string path_;
  Leftover leftover_;   // Of the file, while it is locked.
  std::intptr_t file_;  // A descriptor, or a HANDLE of Windows; -1 once it is moved from.
};

}  // namespace thimble::base

#endif  // THIMBLE_BASE_FILE_LOCK_H_
