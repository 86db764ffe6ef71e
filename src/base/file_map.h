// A whole file in memory, read-only: mapped and shared, so that every process on the machine uses the same pages, or
// copied into private memory, which no writer of the file reaches.

#ifndef THIMBLE_BASE_FILE_MAP_H_
#define THIMBLE_BASE_FILE_MAP_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/arena.h"
#include "base/regular_file.h"
#include "thimble/status.h"

namespace thimble::base {

// What handlers of signals know of a mapping.
struct MappedFile {
  std::span<const std::byte> bytes;
  std::string path;
  std::intptr_t handle;
  FileStamp stamp;
};

// Owns one mapping or copy. Move-only. The bytes are valid while this object lives; Thread-safe for reading.
class FileMap {
 public:
  // kNotFound or kIo when the file cannot be opened or mapped; kInvalidArgument when it is not a regular file;
  // kCorrupt when it is empty.
  static Result<FileMap> Open(const std::string& path);
  // Maps an open file. kIo, kCorrupt.
  static Result<FileMap> Of(RegularFile file);
  // Copies an open file. kIo; kCorrupt, also when it was written to meanwhile; kOutOfMemory.
  static Result<FileMap> CopyOf(RegularFile file);

  FileMap(FileMap&& other) noexcept
      : file_(std::move(other.file_)),
        bytes_(std::exchange(other.bytes_, {})),
        copy_(std::move(other.copy_)),
        listed_(std::move(other.listed_)) {}
  FileMap& operator=(FileMap&&) = delete;
  ~FileMap();

  std::span<const std::byte> bytes() const { return bytes_; }
  bool is_copy() const { return !copy_.bytes().empty(); }
  // The file, which is closed if this is a copy.
  const RegularFile& file() const { return file_; }

  // Fills `out` from byte `offset` on without touching a mapping, for what is better read than mapped. kIo.
  Status ReadAt(std::uint64_t offset, std::span<std::byte> out) const;

 private:
  FileMap(RegularFile file, std::span<const std::byte> bytes) : file_(std::move(file)), bytes_(bytes) {}

  RegularFile file_;
  std::span<const std::byte> bytes_;
  Mapping copy_;
  std::unique_ptr<const MappedFile> listed_;  // Of a mapping, on POSIX systems.
};

// Which mapped file a fault of memory comes from.
struct MappedFault {
  const char* path = nullptr;  // Null if it comes from none.
  std::uint64_t size_opened = 0;
  std::uint64_t size_now = 0;
  bool written = false;  // Whether the file was written to since it was opened.
};
// The file whose mapping has this address, or else one that was written to. Async-signal-safe. Not on Windows, where
// nobody writes to a file that is open here.
MappedFault FindMappedFault(const void* address);

}  // namespace thimble::base

#endif  // THIMBLE_BASE_FILE_MAP_H_
