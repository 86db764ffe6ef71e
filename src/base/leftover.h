// Files and folders that must not outlive the process, even if a signal ends it, and among them locks.

#ifndef THIMBLE_BASE_LEFTOVER_H_
#define THIMBLE_BASE_LEFTOVER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "thimble/status.h"

namespace thimble::inline v0_1 {

// While it lives, RemoveLeftovers() removes `path`: a file, or a folder if it is empty. Destroying it removes nothing.
// Move-only. Where too many live at once, further ones do nothing.
class Leftover {
 public:
  Leftover() = default;
  explicit Leftover(const std::string& path);
  Leftover(Leftover&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  Leftover& operator=(Leftover&& other) noexcept {
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~Leftover();

 private:
  std::atomic<char*>* slot_ = nullptr;  // Which has a copy of the path.
};

// Async-signal-safe. For a handler after which the process ends.
void RemoveLeftovers();

// A lock between processes, which ends with its holder however that ends.
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

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_BASE_LEFTOVER_H_
