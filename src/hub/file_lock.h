// A lock between processes, which ends with its holder however that ends.

#ifndef THIMBLE_HUB_FILE_LOCK_H_
#define THIMBLE_HUB_FILE_LOCK_H_

#include <functional>
#include <string>

#include "thimble/status.h"

namespace thimble::hub {

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
  FileLock(std::string path, int file) : path_(std::move(path)), file_(file) {}
  std::string path_;
  int file_;
};

}  // namespace thimble::hub

#endif  // THIMBLE_HUB_FILE_LOCK_H_
