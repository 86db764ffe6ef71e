// Buffered appending to descriptors.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/regular_file.h"
#include "bulk/part_file.h"

namespace thimble::bulk {
namespace {

constexpr std::size_t kBufferBytes = 32 << 10;
// Bytes that are not on the disk yet count against the control group and cannot be dropped, so that a slow disk would
// get the process killed.
[[maybe_unused]] constexpr std::size_t kUnsyncedBytes = 256 << 10;

std::span<const std::byte> BytesOf(std::string_view text) { return std::as_bytes(std::span(text)); }

}  // namespace

Result<PartFile> PartFile::Open(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file < 0) return SystemError(errno, "cannot write", path);
  PartFile part(path, file);
  struct stat status = {};
  if (fstat(file, &status) != 0) return SystemError(errno, "cannot read the size of", path);
  if (!S_ISREG(status.st_mode)) return Error(Code::kInvalidArgument, path, ": expected a regular file");
  return part;
}

Status PartFile::Resume(std::uint64_t size, std::uint64_t unhashed, std::string_view hash) {
  buffer_.clear();
  hash_ = base::Sha256();
  struct stat status = {};
  if (fstat(file_.get(), &status) != 0) return SystemError(errno, "cannot read the size of", path_);
  const auto there = static_cast<std::uint64_t>(status.st_size);
  if (there < size || size < unhashed) {
    return Error(Code::kCorrupt, path_, ": expected at least ", std::max(size, unhashed), " bytes, found ", there,
                 "; remove the files of the unfinished job to begin anew");
  }
  if (size > unhashed) {
    THIMBLE_ASSIGN_OR_RETURN(const base::RegularFile file, base::RegularFile::Share(file_.get(), path_));
    THIMBLE_RETURN_IF_ERROR(hash_.Update(file, unhashed, size));
  }
  if (Hash() != hash) {
    return Error(Code::kCorrupt, path_, ": its first ", size,
                 " bytes are not those that were written; remove the files ", "of the unfinished job to begin anew");
  }
  if (ftruncate(file_.get(), static_cast<off_t>(size)) != 0) return SystemError(errno, "cannot shorten", path_);
  size_ = size;
  return Status();
}

Status PartFile::AppendUnhashed(std::string_view bytes) {
  THIMBLE_RETURN_IF_ERROR(Flush());
  return Send(bytes);
}

Status PartFile::Append(std::string_view bytes) {
  hash_.Update(bytes);
  if (buffer_.size() + bytes.size() > kBufferBytes) THIMBLE_RETURN_IF_ERROR(Flush());
  if (bytes.size() > kBufferBytes) return Send(bytes);
  buffer_.reserve(kBufferBytes);
  buffer_ += bytes;
  return Status();
}

Status PartFile::WriteAt(std::uint64_t offset, std::string_view bytes) {
  return base::WriteAllAt(file_.get(), offset, BytesOf(bytes), path_);
}

Status PartFile::ReadAt(std::uint64_t offset, std::span<char> out) {
  if (offset > size_ || out.size() > size_ - offset) THIMBLE_RETURN_IF_ERROR(Flush());
  return base::ReadAllAt(file_.get(), offset, std::as_writable_bytes(out), path_);
}

Status PartFile::Flush() {
  THIMBLE_RETURN_IF_ERROR(Send(buffer_));
  buffer_.clear();
  return Status();
}

Status PartFile::Send(std::string_view bytes) {
  THIMBLE_RETURN_IF_ERROR(base::WriteAllAt(file_.get(), size_, BytesOf(bytes), path_));
  size_ += bytes.size();
  unsynced_ += bytes.size();
#ifdef SYNC_FILE_RANGE_WRITE
  if (unsynced_ >= kUnsyncedBytes) {
    sync_file_range(file_.get(), 0, 0,
                    SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    unsynced_ = 0;
  }
#endif
  return Status();
}

Status PartFile::Sync() {
  THIMBLE_RETURN_IF_ERROR(Flush());
  return fsync(file_.get()) == 0 ? Status() : SystemError(errno, "cannot flush", path_);
}

void PartFile::Remove() {
  leftover_ = base::Leftover();
  unlink(path_.c_str());
}

}  // namespace thimble::bulk
