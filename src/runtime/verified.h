// Whether the file of a model still has the bytes that it had.

#ifndef THIMBLE_RUNTIME_VERIFIED_H_
#define THIMBLE_RUNTIME_VERIFIED_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "format/reader.h"
#include "thimble/status.h"

namespace thimble::inline v0_1 {

// The SHA-256 of what weights.sha256 covers. kCorrupt without a receipt.
Result<std::string> HashOfWeights(const format::Reader& reader);

// kCorrupt when the weights do not have the recorded hash, kUnsupported when there is none. Computes it once in a
// process for each state of a file, so that models can be opened often. Thread-safe.
Status VerifyWeights(const format::Reader& reader);

// Watches a file while it is open. Thread-safe.
class FileWatch {
 public:
  explicit FileWatch(const format::Reader& reader) : changed_(reader.file().stamp().changed) {}
  // kCorrupt when the file was written to since it was opened, unless it is a copy. One system call; a change of its
  // name, links or permissions alone, which a writer that restores the time could cause too, costs a hash once.
  Status Check(const format::Reader& reader) const;

 private:
  mutable std::atomic<std::int64_t> changed_;  // FileStamp::changed for which the bytes are known to be the same.
};

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_RUNTIME_VERIFIED_H_
