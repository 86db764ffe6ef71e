// Writes a model file in one pass, tensor after tensor, into a file that takes the name only when complete.

#ifndef THIMBLE_FORMAT_WRITER_H_
#define THIMBLE_FORMAT_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/regular_file.h"
#include "format/safetensors.h"
#include "thimble/status.h"

namespace thimble::format {

// What the file will hold, known before the first byte of data.
struct Layout {
  std::string_view version = "1";                             // kVersion or kVersion2.
  std::vector<std::pair<std::string, std::string>> metadata;  // kVersionKey is added by the writer.
  std::vector<TensorInfo> tensors;                            // begin and end are ignored; the order is kept.
  std::size_t reserve = 0;                                    // Bytes of the header kept free for SetMetadata.
};

// Move-only; Thread-compatible. Destroyed before Finish() succeeded, it removes what it wrote and leaves `path` as it
// was.
class Writer {
 public:
  // Creates the temporary file and writes the header. kInvalidArgument when a tensor's bytes are not a
  // multiple of kAlignment; kIo when the file cannot be made.
  static Result<Writer> Create(const std::string& path, Layout layout);

  // Appends to the tensor that is next in the layout; a tensor may come in several pieces. `name` must be that tensor:
  // kInvalidArgument otherwise, or when it would become longer than declared.
  Status Append(std::string_view name, std::span<const std::byte> bytes);

  // Replaces bytes of a tensor that is complete, from its beginning on. kInvalidArgument when it is not.
  Status Overwrite(std::string_view name, std::span<const std::byte> bytes);
  // Adds an entry to the metadata. kInvalidArgument when the header has no room left.
  Status SetMetadata(const std::string& key, const std::string& value);
  // Everything that was appended, to be read.
  Result<base::RegularFile> Flush();

  // Flushes to the disk and gives the file its name. kInvalidArgument when a tensor is not complete.
  Status Finish();
  // As AtomicFile::remark().
  const std::string& remark() const { return file_.remark(); }

 private:
  // The page cache keeps a file in pages as large as the writes that made it, and a mapping of large pages takes a
  // fraction of the faults: a first embedding in 0.7 ms instead of 1.8.
  static constexpr std::size_t kWriteBytes = 2 << 20;

  Writer(base::AtomicFile file, Layout layout) : file_(std::move(file)), layout_(std::move(layout)) {}
  std::vector<std::byte> Header() const;
  Status Write(std::span<const std::byte> bytes);
  Status WriteBuffer();
  base::AtomicFile file_;
  Layout layout_;
  std::vector<std::byte> buffer_;  // What comes before the next multiple of kWriteBytes.
  std::size_t next_ = 0;           // Tensor being written.
  std::uint64_t written_ = 0;      // Bytes of it.
  std::size_t header_bytes_ = 0;   // The header's length and the JSON.
};

}  // namespace thimble::format

#endif  // THIMBLE_FORMAT_WRITER_H_
