// A file that grows until it is complete, and whose first bytes survive the process.

#ifndef THIMBLE_BULK_PART_FILE_H_
#define THIMBLE_BULK_PART_FILE_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/descriptor.h"
#include "base/leftover.h"
#include "base/sha256.h"
#include "thimble/status.h"

namespace thimble::bulk {

// Move-only; Thread-compatible.
class PartFile {
 public:
  // Makes the file, or opens the one that is there. kIo or kNotFound.
  static Result<PartFile> Open(const std::string& path);

  PartFile(PartFile&&) noexcept = default;
  PartFile& operator=(PartFile&&) = delete;

  // Keeps the first `size` bytes, of which those from `unhashed` on must have the hash `hash`. kCorrupt if not.
  Status Resume(std::uint64_t size, std::uint64_t unhashed, std::string_view hash);
  // Appends bytes that the hash leaves out.
  Status AppendUnhashed(std::string_view bytes);
  Status Append(std::string_view bytes);
  // Replaces bytes that were written before.
  Status WriteAt(std::uint64_t offset, std::string_view bytes);
  Status ReadAt(std::uint64_t offset, std::span<char> out);
  // Hands everything to the system, and to the disk.
  Status Flush();
  Status Sync();

  const std::string& path() const { return path_; }
  std::uint64_t size() const { return size_ + buffer_.size(); }
  std::string Hash() const { return base::Sha256(hash_).Hex(); }
  // From now on a signal that ends the process leaves the file.
  void Keep() { leftover_ = base::Leftover(); }
  void Remove();

 private:
  // Writes behind what was written.
  Status Send(std::string_view bytes);
  PartFile(std::string path, int file) : path_(std::move(path)), file_(file), leftover_(path_) {}

  std::string path_;
  base::Descriptor file_;
  base::Leftover leftover_;
  std::uint64_t size_ = 0;      // On the way to the disk.
  std::uint64_t unsynced_ = 0;  // Of which the disk may not know.
  std::string buffer_;
  base::Sha256 hash_;
};

}  // namespace thimble::bulk

#endif  // THIMBLE_BULK_PART_FILE_H_
