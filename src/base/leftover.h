// Files and folders that must not outlive the process, even if a signal ends it.

#ifndef THIMBLE_BASE_LEFTOVER_H_
#define THIMBLE_BASE_LEFTOVER_H_

#include <atomic>
#include <string>
#include <utility>

namespace thimble::base {

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

}  // namespace thimble::base

#endif  // THIMBLE_BASE_LEFTOVER_H_
