// A file that several processes read and write in place at the same time.

#ifndef THIMBLE_BASE_SHARED_FILE_H_
#define THIMBLE_BASE_SHARED_FILE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "thimble/status.h"

namespace thimble::base {

// Move-only. Thread-safe, but nothing is atomic: a reader may see a part of a write.
class SharedFile {
 public:
  // For reading and writing, or where the file may not be written, for reading. `create` makes it where it is missing,
  // for its owner alone. kNotFound or kIo; kInvalidArgument when it is no regular file.
  static Result<SharedFile> Open(const std::string& path, bool create);
  SharedFile(SharedFile&& other) noexcept
      : path_(std::move(other.path_)), file_(std::exchange(other.file_, kNone)), writable_(other.writable_) {}
  SharedFile& operator=(SharedFile&&) = delete;
  ~SharedFile();

  const std::string& path() const { return path_; }
  bool writable() const { return writable_; }
  // Bytes that it has now.
  Result<std::uint64_t> Size() const;
  // Makes it so long; what is added is zeros, which take no room on the disk where the file system can do that. kIo.
  Status Grow(std::uint64_t size);
  // Whether the process may write up to byte `size` of a file.
  static bool AllowsSize(std::uint64_t size);

  // Whether all bytes from `offset` on could be read or written. Allocates nothing.
  bool ReadAt(std::uint64_t offset, std::span<std::byte> out) const;
  bool WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) const;

 private:
  static constexpr std::intptr_t kNone = -1;
  SharedFile(std::string path, std::intptr_t file, bool writable)
      : path_(std::move(path)), file_(file), writable_(writable) {}

  std::string path_;
  std::intptr_t file_;  // A descriptor, or a HANDLE of Windows.
  bool writable_;
};

}  // namespace thimble::base

#endif  // THIMBLE_BASE_SHARED_FILE_H_
