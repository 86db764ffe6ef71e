// Hashes of files, and the files that had the right one.

#include "runtime/verified.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>

#include "base/error.h"
#include "base/sha256.h"
#include "model/receipt_tensors.h"

namespace thimble::inline v0_1 {
namespace {

// Files in a certain state that had their recorded hash, the last ones in turn. Thread-safe.
class VerifiedFiles {
 public:
  bool Contains(const RegularFile& file) {
    const std::lock_guard lock(mutex_);
    return std::find(files_.begin(), files_.end(), Key(file)) != files_.end();
  }
  void Add(const RegularFile& file) {
    const std::lock_guard lock(mutex_);
    files_[next_++ % files_.size()] = Key(file);
  }

 private:
  struct File {
    std::uint64_t device = 0;
    FileStamp stamp;
    bool operator==(const File&) const = default;
  };
  static File Key(const RegularFile& file) { return {file.device(), file.stamp()}; }

  std::mutex mutex_;
  std::array<File, 32> files_;  // No file has the stamp of an empty place: its size would be 0.
  std::size_t next_ = 0;
};

Status Changed(const format::Reader& reader, std::uint64_t size) {
  const std::uint64_t opened = reader.file().size();
  return Error(Code::kCorrupt, reader.path(), ": was changed while it was open: ",
               size == opened ? std::string("its contents differ")
                              : "had " + std::to_string(opened) + " bytes, has " + std::to_string(size),
               "; open it again, and replace model files only by renaming, or set `load` to copy");
}

}  // namespace

Result<std::string> HashOfWeights(const format::Reader& reader) {
  THIMBLE_ASSIGN_OR_RETURN(std::span<const std::uint8_t> behind, reader.Vector<std::uint8_t>(kGoldenTextsTensor));
  const std::uint64_t begin = reader.header().data_begin, end = reader.Offset(behind.data());
  if (!reader.map().is_copy()) return Sha256OfFile(reader.file(), begin, end);
  Sha256 hash;
  hash.Update(reader.map().bytes().subspan(begin, end - begin));
  return hash.Hex();
}

Status VerifyWeights(const format::Reader& reader) {
  static VerifiedFiles verified;
  const RegularFile& file = reader.file();
  const std::optional<std::string_view> expected = reader.Metadata(kWeightsHashKey);
  if (!expected) {
    return Error(Code::kUnsupported, reader.path(),
                 ": records no hash of its weights to verify; convert or pull the model again, or leave out `verify`");
  }
  if (verified.Contains(file)) return Status();
  // Before the bytes are read: a write from then on shows in a later stamp.
  bool settled = IsSettled(file.stamp());
  THIMBLE_ASSIGN_OR_RETURN(const std::string found, HashOfWeights(reader));
  if (!reader.map().is_copy()) {
    THIMBLE_ASSIGN_OR_RETURN(const FileStamp now, file.StampNow());
    if (now.WrittenSince(file.stamp())) return Changed(reader, now.size);
    settled &= now.changed == file.stamp().changed;
  }
  if (found != *expected) {
    return Error(Code::kCorrupt, reader.path(), ": the weights do not match the recorded hash: expected ", *expected,
                 ", found ", found, "; the file is damaged or was modified: convert or pull the model again");
  }
  if (settled) verified.Add(file);
  return Status();
}

Status FileWatch::Check(const format::Reader& reader) const {
  if (reader.map().is_copy()) return Status();
  const RegularFile& file = reader.file();
  const Result<FileStamp> now = file.StampNow();
  if (!now.ok()) return now.status();
  if (now->WrittenSince(file.stamp())) return Changed(reader, now->size);
  if (now->changed == 0 || now->changed == changed_.load(std::memory_order_relaxed)) return Status();
  if (const auto expected = reader.Metadata(kWeightsHashKey)) {
    THIMBLE_ASSIGN_OR_RETURN(const std::string found, HashOfWeights(reader));
    if (found != *expected) return Changed(reader, now->size);
  }
  changed_.store(now->changed, std::memory_order_relaxed);
  return Status();
}

}  // namespace thimble::inline v0_1
