// Appends what comes to a file, and checks the whole.

#include "hub/partial_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/regular_file.h"
#include "base/sha256.h"
#include "json/json_file.h"
#include "store/name.h"

namespace thimble::hub {
namespace {

constexpr std::size_t kMaxTagBytes = 256;

}  // namespace

Result<PartialFile> PartialFile::Open(const std::string& path, const HubFile& file,
                                      std::function<void(std::uint64_t)> on_bytes) {
  PartialFile part(path, file, std::move(on_bytes));
  const std::string name = path + ".part";
  rename(path.c_str(), name.c_str());  // What is complete is checked again: the machine may have failed since.
  part.descriptor_ = open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  struct stat status = {};
  if (part.descriptor_ < 0 || fstat(part.descriptor_, &status) != 0) return SystemError(errno, "cannot write", name);
  if (!S_ISREG(status.st_mode)) return Error(Code::kIo, name, ": expected a regular file");
  part.size_ = static_cast<std::uint64_t>(status.st_size);
  if (Result<std::string> etag = json::ReadFile(path + ".etag", kMaxTagBytes); etag.ok()) part.etag_ = *etag;
  // Without a hash or a tag nothing would tell that the two halves are of one file.
  if (part.size_ > file.size.value_or(file.max_bytes) || (file.sha256.empty() && part.etag_.empty())) {
    THIMBLE_RETURN_IF_ERROR(part.Clear());
  }
  part.on_bytes_(part.size_);
  return part;
}

PartialFile::PartialFile(PartialFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::move(other.file_)),
      on_bytes_(std::move(other.on_bytes_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_),
      etag_(std::move(other.etag_)),
      disk_failed_(other.disk_failed_) {}

PartialFile::~PartialFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

Status PartialFile::SetSize(std::uint64_t size) {
  if (ftruncate(descriptor_, static_cast<off_t>(size)) != 0 ||
      lseek(descriptor_, static_cast<off_t>(size), SEEK_SET) < 0) {
    disk_failed_ = true;
    return SystemError(errno, "cannot write", path_);
  }
  size_ = size;
  on_bytes_(size_);
  return Status();
}

Status PartialFile::KeepEtag(const std::string& etag) {
  if (etag == etag_) return Status();
  etag_ = etag;
  const std::string name = path_ + ".etag";
  const int file = open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file < 0) return SystemError(errno, "cannot write", name);
  Status status = base::WriteAll(file, std::as_bytes(std::span(etag)), name);
  close(file);
  return status;
}

Status PartialFile::Begin(const net::HttpAnswer& answer) {
  THIMBLE_RETURN_IF_ERROR(SetSize(answer.offset));
  if (answer.offset > 0) return Status();
  Status status = KeepEtag(answer.etag);
  disk_failed_ |= !status.ok();
  return status;
}

Status PartialFile::Write(std::span<const std::byte> bytes) {
  const std::uint64_t most = file_.size.value_or(file_.max_bytes);
  if (bytes.size() > most - size_) {
    Status status = Clear();
    return status.ok() ? Error(Code::kCorrupt, "expected ", most, " bytes, found more") : status;
  }
  Status status = base::WriteAll(descriptor_, bytes, path_);
  if (!status.ok()) {
    disk_failed_ = true;
    return status;
  }
  size_ += bytes.size();
  on_bytes_(size_);
  return Status();
}

Result<std::string> PartialFile::Difference(std::string_view linked_etag) const {
  if (file_.size && size_ != *file_.size) {
    return "expected " + std::to_string(*file_.size) + " bytes, found " + std::to_string(size_);
  }
  std::string expected = file_.sha256;
  if (expected.empty() && linked_etag.size() > 2 && linked_etag.front() == '"' && linked_etag.back() == '"') {
    const std::string_view tag = linked_etag.substr(1, linked_etag.size() - 2);
    if (store::IsHex(tag, base::Sha256::kHexDigits)) expected = tag;  // Else it is a hash of git's.
  }
  if (expected.empty()) return std::string();
  THIMBLE_ASSIGN_OR_RETURN(base::RegularFile file, base::RegularFile::Open(path_ + ".part"));
  THIMBLE_ASSIGN_OR_RETURN(std::string found, base::Sha256OfFile(file, 0, size_));
  if (found == expected) return std::string();
  return "expected a file with SHA-256 " + expected + ", found " + found;
}

Status PartialFile::Clear() {
  etag_.clear();
  unlink((path_ + ".etag").c_str());
  return SetSize(0);
}

Status PartialFile::Finish() {
  // Some file systems report a full disk only on closing.
  if (close(std::exchange(descriptor_, -1)) != 0) return SystemError(errno, "cannot write", path_);
  if (rename((path_ + ".part").c_str(), path_.c_str()) != 0) return SystemError(errno, "cannot rename to", path_);
  unlink((path_ + ".etag").c_str());
  return Status();
}

}  // namespace thimble::hub
