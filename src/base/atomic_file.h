// Writing a file that takes its name only when it is complete.

#ifndef THIMBLE_BASE_ATOMIC_FILE_H_
#define THIMBLE_BASE_ATOMIC_FILE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "thimble/status.h"

namespace thimble::inline v0_1 {

// Writes all of `bytes` to an open file; `path` is for messages.
Status WriteAll(int file, std::span<const std::byte> bytes, const std::string& path);

// A temporary file beside `path`. Move-only; Thread-compatible. Destroyed before Commit() succeeded, it removes what it
// wrote and leaves `path` as it was.
class AtomicFile {
 public:
  // Where `path` is a symbolic link, the file behind it will be replaced, not the link. kNotFound or kIo.
  static Result<AtomicFile> Create(const std::string& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  // The open file, for reading, writing and seeking.
  int descriptor() const { return file_; }
  const std::string& path() const { return path_; }
  // Where the bytes are until Commit().
  const std::string& temporary() const { return temporary_; }
  // Replaces bytes that were written before.
  Status WriteAt(std::uint64_t offset, std::span<const std::byte> bytes);
  Status Write(std::span<const std::byte> bytes) { return WriteAll(file_, bytes, path_); }

  // Flushes to the disk, so that a crash leaves the old file or the new one, and renames.
  Status Commit();

 private:
  AtomicFile(std::string path, std::string target, std::string temporary, int file);
  std::string path_;       // As given.
  std::string target_;     // Links resolved.
  std::string temporary_;  // Empty once renamed.
  int file_ = -1;
};

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_BASE_ATOMIC_FILE_H_
