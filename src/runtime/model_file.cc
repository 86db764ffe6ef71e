// Opening, hashes of files, and the files that had the right one.

#include "runtime/model_file.h"

#include <algorithm>
#include <array>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>

#include "base/error.h"
#include "base/guard.h"
#include "base/sha256.h"
#include "model/receipt_tensors.h"

namespace thimble::runtime {
namespace {

// Files in a certain state that had their recorded hash, the last ones in turn. Thread-safe.
class VerifiedFiles {
 public:
  bool Contains(const base::RegularFile& file) {
    const std::lock_guard lock(mutex_);
    return std::find(files_.begin(), files_.end(), Key(file)) != files_.end();
  }
  void Add(const base::RegularFile& file) {
    const std::lock_guard lock(mutex_);
    files_[next_++ % files_.size()] = Key(file);
  }

 private:
  struct File {
    std::uint64_t device = 0;
    base::FileStamp stamp;
    bool operator==(const File&) const = default;
  };
  static File Key(const base::RegularFile& file) { return {file.device(), file.stamp()}; }

  std::mutex mutex_;
  std::array<File, 32> files_;  // No file has the stamp of an empty place: its size would be 0.
  std::size_t next_ = 0;
};

}  // namespace

Result<std::unique_ptr<const ModelFile>> ModelFile::Open(const std::string& path, const OpenOptions& options) {
  THIMBLE_ASSIGN_OR_RETURN(format::Reader reader, format::Reader::Open(path, options.load == Load::kCopy));
  auto file = std::make_unique<const ModelFile>(std::move(reader));
  if (options.verify) THIMBLE_RETURN_IF_ERROR(file->VerifyWeights());
  return file;
}

bool ModelFile::IsOutdated() const {
  const base::FileStamp& opened = reader_.file().stamp();
  bool outdated = false;
  (void)base::Guarded([&] {
    const Result<base::FileStamp> now = base::StampOf(reader_.path());
    outdated = now.ok() && *now != opened && (now->WrittenSince(opened) || Check().code() == Code::kCorrupt);
    return Status();
  });
  return outdated;
}

Status ModelFile::Changed(std::uint64_t size) const {
  const std::uint64_t opened = reader_.file().size();
  return Error(Code::kCorrupt, reader_.path(), ": was changed while it was open: ",
               size == opened ? std::string("its contents differ")
                              : "had " + std::to_string(opened) + " bytes, has " + std::to_string(size),
               "; open it again, and replace model files only by renaming, or set `load` to copy");
}

Result<std::string> ModelFile::HashOfWeights() const {
  THIMBLE_ASSIGN_OR_RETURN(std::span<const std::uint8_t> behind,
                           reader_.Vector<std::uint8_t>(model::kGoldenTextsTensor));
  const std::uint64_t begin = reader_.header().data_begin, end = reader_.Offset(behind.data());
  if (!is_copy()) return base::Sha256OfFile(reader_.file(), begin, end);
  base::Sha256 hash;
  hash.Update(reader_.map().bytes().subspan(begin, end - begin));
  return hash.Hex();
}

Status ModelFile::VerifyWeights() const {
  static VerifiedFiles verified;
  const base::RegularFile& file = reader_.file();
  const std::optional<std::string_view> expected = reader_.Metadata(model::kWeightsHashKey);
  if (!expected) {
    return Error(Code::kUnsupported, reader_.path(),
                 ": records no hash of its weights to verify; convert or pull the model again, or leave out `verify`");
  }
  if (verified.Contains(file)) return Status();
  // Before the bytes are read: a write from then on shows in a later stamp.
  bool settled = base::IsSettled(file.stamp());
  THIMBLE_ASSIGN_OR_RETURN(const std::string found, HashOfWeights());
  if (!is_copy()) {
    THIMBLE_ASSIGN_OR_RETURN(const base::FileStamp now, file.StampNow());
    if (now.WrittenSince(file.stamp())) return Changed(now.size);
    settled &= now.changed == file.stamp().changed;
  }
  if (found != *expected) {
    return Error(Code::kCorrupt, reader_.path(), ": the weights do not match the recorded hash: expected ", *expected,
                 ", found ", found, "; the file is damaged or was modified: convert or pull the model again");
  }
  if (settled) verified.Add(file);
  return Status();
}

Status ModelFile::Check() const {
  if (is_copy()) return Status();
  const base::RegularFile& file = reader_.file();
  const Result<base::FileStamp> now = file.StampNow();
  if (!now.ok()) return now.status();
  if (now->WrittenSince(file.stamp())) return Changed(now->size);
  if (now->changed == 0 || now->changed == changed_.load(std::memory_order_relaxed)) return Status();
  if (const auto expected = reader_.Metadata(model::kWeightsHashKey)) {
    THIMBLE_ASSIGN_OR_RETURN(const std::string found, HashOfWeights());
    if (found != *expected) return Changed(now->size);
  }
  changed_.store(now->changed, std::memory_order_relaxed);
  return Status();
}

}  // namespace thimble::runtime
