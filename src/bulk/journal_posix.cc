// The file of a journal, and its lock.

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <string_view>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "bulk/journal.h"
#include "json/parse.h"

namespace thimble::bulk {
namespace {

// Whether `path` still names the open file: its last holder may have removed it.
bool NamesOpenFile(const std::string& path, int file) {
  struct stat here = {}, there = {};
  return fstat(file, &here) == 0 && lstat(path.c_str(), &there) == 0 && here.st_dev == there.st_dev &&
         here.st_ino == there.st_ino;
}

}  // namespace

Result<Journal> Journal::Open(const std::string& path) {
  for (;;) {
    const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
    if (file < 0) return SystemError(errno, "cannot write", path);
    Journal journal(path, file);
    int locked;
    while ((locked = flock(file, LOCK_EX | LOCK_NB)) != 0 && errno == EINTR) continue;
    if (locked != 0 && errno == EWOULDBLOCK) {
      return Error(Code::kOverloaded, path, ": another process is writing this output; wait for it, or choose another ",
                   "output");
    }
    if (locked != 0) return SystemError(errno, "cannot lock", path);
    if (!NamesOpenFile(path, file)) continue;
    THIMBLE_RETURN_IF_ERROR(journal.Read());
    return journal;
  }
}

Status Journal::Read() {
  struct stat status = {};
  if (fstat(file_.get(), &status) != 0) return SystemError(errno, "cannot read the size of", path_);
  if (!S_ISREG(status.st_mode)) return Error(Code::kInvalidArgument, path_, ": expected a regular file");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > 2 * kSlotBytes + kMaxJobBytes) {
    return Error(Code::kCorrupt, path_, ": expected a journal of at most ", 2 * kSlotBytes + kMaxJobBytes,
                 " bytes, found ", size);
  }
  std::string text(size, '\0');
  THIMBLE_RETURN_IF_ERROR(base::ReadAllAt(file_.get(), 0, std::as_writable_bytes(std::span(text)), path_));
  if (text.size() <= 2 * kSlotBytes) return Status();  // Its writer ended before it was whole.
  const std::string_view all = text, job_text = all.substr(2 * kSlotBytes);
  int written = 0;
  for (std::size_t i = 0; i < 2; ++i) {
    const std::string_view slot = all.substr(i * kSlotBytes, kSlotBytes);
    if (slot.find_first_not_of(std::string_view(" \n\0", 3)) == std::string_view::npos) continue;
    ++written;
    std::uint64_t sequence = 0;
    std::optional<Checkpoint> found = ReadSlot(slot, job_text, sequence);
    if (!found || (checkpoint_ && sequence <= sequence_)) continue;
    checkpoint_ = std::move(found);
    sequence_ = sequence;
  }
  if (checkpoint_) {
    THIMBLE_ASSIGN_OR_RETURN(job_, json::Parse(job_text, path_));
    if (!job_.is_object()) return Error(Code::kCorrupt, path_, ": expected the job as an object, found ", job_.Kind());
    job_text_ = job_text;
  } else if (written == 2) {
    return Error(Code::kCorrupt, path_,
                 ": neither of its two checkpoints is whole; remove the files of the unfinished ", "job to begin anew");
  }
  return Status();
}

Status Journal::Begin(const json::Value& job) {
  checkpoint_.reset();
  sequence_ = 0;
  job_ = job;
  job_text_ = job.Text() + "\n";
  if (job_text_.size() > kMaxJobBytes) {
    return Error(Code::kInvalidArgument, "the options of the job have more than ", kMaxJobBytes, " bytes as text");
  }
  leftover_ = base::Leftover(path_);
  if (ftruncate(file_.get(), 0) != 0) return SystemError(errno, "cannot shorten", path_);
  const std::string text = std::string(2 * kSlotBytes, ' ') + job_text_;
  return base::WriteAllAt(file_.get(), 0, std::as_bytes(std::span(text)), path_);
}

Status Journal::Write(const Checkpoint& checkpoint) {
  ++sequence_;
  const std::string slot = WriteSlot(checkpoint, job_text_, sequence_);
  THIMBLE_RETURN_IF_ERROR(
      base::WriteAllAt(file_.get(), (sequence_ % 2) * kSlotBytes, std::as_bytes(std::span(slot)), path_));
  if (fsync(file_.get()) != 0) return SystemError(errno, "cannot flush", path_);
  leftover_ = base::Leftover();
  return Status();
}

void Journal::Remove() {
  leftover_ = base::Leftover();
  unlink(path_.c_str());
}

}  // namespace thimble::bulk
