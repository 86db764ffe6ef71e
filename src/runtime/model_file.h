// The file of a model, and whether it still has the bytes that it had.

#ifndef THIMBLE_RUNTIME_MODEL_FILE_H_
#define THIMBLE_RUNTIME_MODEL_FILE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "format/reader.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::runtime {

// Thread-safe.
class ModelFile {
 public:
  // kCorrupt when the weights do not have the recorded hash that `options` want, kUnsupported when there is none. That
  // is computed once in a process for each state of a file, so that models can be opened often.
  static Result<std::unique_ptr<const ModelFile>> Open(const std::string& path, const OpenOptions& options);
  explicit ModelFile(format::Reader reader) : reader_(std::move(reader)), changed_(reader_.file().stamp().changed) {}

  const format::Reader& reader() const { return reader_; }
  bool is_copy() const { return reader_.map().is_copy(); }
  // That are mapped.
  std::size_t MappedBytes() const { return is_copy() ? 0 : reader_.file_bytes(); }

  // kCorrupt when the file was written to since it was opened, unless it is a copy. One system call; a change of its
  // name, links or permissions alone, which a writer that restores the time could cause too, costs a hash once.
  Status Check() const;
  // Whether another file is now where this one was opened, or this one was written to. What is not there any more has
  // not changed.
  bool IsOutdated() const;
  // The SHA-256 of what weights.sha256 covers. kCorrupt without a receipt.
  Result<std::string> HashOfWeights() const;

 private:
  Status VerifyWeights() const;
  // The error of a file that now has `size` bytes.
  Status Changed(std::uint64_t size) const;

  const format::Reader reader_;
  mutable std::atomic<std::int64_t> changed_;  // FileStamp::changed for which the bytes are known to be the same.
};

}  // namespace thimble::runtime

#endif  // THIMBLE_RUNTIME_MODEL_FILE_H_
