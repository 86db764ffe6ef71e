// A whole file mapped read-only and shared, so that every process on the machine uses the same pages.

#ifndef THIMBLE_BASE_FILE_MAP_H_
#define THIMBLE_BASE_FILE_MAP_H_

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "base/regular_file.h"
#include "thimble/status.h"

namespace thimble::inline v0_1 {

// Owns one mapping. Move-only. The bytes are valid while this object lives; Thread-safe for reading.
class FileMap {
 public:
  // kNotFound or kIo when the file cannot be opened or mapped; kInvalidArgument when it is not a regular file;
  // kCorrupt when it is empty.
  static Result<FileMap> Open(const std::string& path);
  // Maps an open file. kIo, kCorrupt.
  static Result<FileMap> Of(RegularFile file);

  FileMap(FileMap&& other) noexcept : file_(std::move(other.file_)), bytes_(std::exchange(other.bytes_, {})) {}
  FileMap& operator=(FileMap&&) = delete;
  ~FileMap();

  std::span<const std::byte> bytes() const { return bytes_; }
  // The same file, for what is better copied than mapped.
  const RegularFile& file() const { return file_; }

 private:
  FileMap(RegularFile file, std::span<const std::byte> bytes) : file_(std::move(file)), bytes_(bytes) {}
  RegularFile file_;
  std::span<const std::byte> bytes_;
};

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_BASE_FILE_MAP_H_
