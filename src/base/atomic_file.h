// Writing a file that takes its name only when it is complete.

#ifndef THIMBLE_BASE_ATOMIC_FILE_H_
#define THIMBLE_BASE_ATOMIC_FILE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/leftover.h"
#include "thimble/status.h"

namespace thimble::base {

// Writes all of `bytes` to an open file, waiting where it is a pipe that has no room; `path` is for messages.
Status WriteAll(int file, std::span<const std::byte> bytes, const std::string& path);
// The same from byte `offset` of the file on.
Status WriteAllAt(int file, std::uint64_t offset, std::span<const std::byte> bytes, const std::string& path);

// The path without links in it, which stays the same when the working directory changes; also of a file that is yet to
// be made. `path` itself where its folder is missing.
std::string ResolveTarget(const std::string& path);

// Gives the finished file `from` the name `to`, in the same folder and free of links, as AtomicFile::Commit() does.
// Returns the remark.
Result<std::string> TakeNameOf(const std::string& from, const std::string& to);

// A temporary file, which has no name if the file system supports that: then nothing is left of it however the process
// ends. Otherwise it is TARGET.thimble-XXXXXXXX.tmp, locked while in use: RemoveLeftovers() removes it, and so does the
// next Create() of the same target if its process has died. Move-only; Thread-compatible. Destroyed before Commit()
// succeeded, it leaves `path` as it was.
class AtomicFile {
 public:
  // Where `path` is a symbolic link, the file behind it will be replaced or made, not the link. kInvalidArgument when
  // something other than a regular file has that name; kNotFound or kIo when neither a file can be made in its folder
  // nor the one that is there be written.
  static Result<AtomicFile> Create(const std::string& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&&) = delete;
  ~AtomicFile();

  // The open file, for reading, writing and seeking.
  int descriptor() const { return file_; }
  const std::string& path() const { return path_; }
  // Replaces bytes that were written before.
  Status WriteAt(std::uint64_t offset, std::span<const std::byte> bytes) {
    return WriteAllAt(file_, offset, bytes, path_);
  }
  Status Write(std::span<const std::byte> bytes) { return WriteAll(file_, bytes, path_); }

  // Flushes to the disk, so that a crash leaves the old file or the new one, and takes the name. A file that is
  // replaced hands on its permissions, and its owner and group if the system allows; not its set-user-ID bits, access
  // control lists and extended attributes, and other hard links keep the old contents. Where the name cannot be taken,
  // but the file that has it can be written, its bytes are replaced in place; remark() then says so.
  Status Commit();
  // A sentence for people, once Commit() succeeded; mostly empty.
  const std::string& remark() const { return remark_; }

 private:
  friend Result<std::string> TakeNameOf(const std::string& from, const std::string& to);
  AtomicFile(std::string path, std::string target) : path_(std::move(path)), target_(std::move(target)) {}
  int TakeName();
  Status MoveToNamed();
  Status CopyInPlace();

  std::string path_;    // As given.
  std::string target_;  // Links resolved.
  std::string name_;    // Of the temporary file; empty if it has none.
  Leftover leftover_;   // Of that name.
  std::string remark_;
  bool in_place_ = false;  // Whether the temporary file is in another folder.
  int file_ = -1;
};

}  // namespace thimble::base

#endif  // THIMBLE_BASE_ATOMIC_FILE_H_
