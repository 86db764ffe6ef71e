// Open files of POSIX systems.

#ifndef THIMBLE_BASE_DESCRIPTOR_H_
#define THIMBLE_BASE_DESCRIPTOR_H_

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "thimble/status.h"

namespace thimble::base {

// Fills `out` from byte `offset` of an open file on; `path` is for messages. kIo when the file ends before.
Status ReadAllAt(int file, std::uint64_t offset, std::span<std::byte> out, const std::string& path);

// An open file that is closed with its owner. Move-only.
class Descriptor {
 public:
  explicit Descriptor(int file) : file_(file) {}
  Descriptor(Descriptor&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(file_, other.file_);
    return *this;
  }
  ~Descriptor() {
    if (file_ >= 0) close(file_);
  }

  int get() const { return file_; }

 private:
  int file_;
};

}  // namespace thimble::base

#endif  // THIMBLE_BASE_DESCRIPTOR_H_
