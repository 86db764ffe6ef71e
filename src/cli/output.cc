// Buffered writing, and named values as lines of text or as one JSON object.

#include "cli/output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <initializer_list>
#include <span>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace thimble::cli {

namespace {

// A file's bytes that are not on the disk yet count against the control group and cannot be dropped, so that a slow
// disk would get the process killed.
[[maybe_unused]] constexpr std::size_t kUnsyncedBytes = 256 << 10;

// Which open descriptor a path stands for; -1 for other paths. Opening it by that name would begin again at the first
// byte of a file, and replacing it would not reach the process that handed it on.
int OwnDescriptor(std::string_view path) {
  if (path == "/dev/stdout") return STDOUT_FILENO;
  if (path == "/dev/stderr") return STDERR_FILENO;
  for (std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    if (!path.starts_with(folder)) continue;
    const std::string_view digits = path.substr(folder.size());
    int number = -1;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error == std::errc() && end == digits.data() + digits.size()) return number;
  }
  return -1;
}

}  // namespace

std::string OneLine(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  return text;
}

Result<Output> Output::Open(const std::string& path, std::span<const base::InputFile> inputs) {
  Output output;
  struct stat status;
  output.path_ = path.empty() || path == "-" ? "standard output" : path;
  if (const int own = path.empty() || path == "-" ? STDOUT_FILENO : OwnDescriptor(path); own >= 0) {
    THIMBLE_RETURN_IF_ERROR(base::CheckOutput(output.path_, base::IdentityOfHandle(own), inputs));
    output.file_ = own;
  } else if (stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode)) {
    output.file_ = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    output.owned_ = true;
  } else {
    THIMBLE_RETURN_IF_ERROR(base::CheckOutput(path, base::IdentityOf(path), inputs));
    THIMBLE_ASSIGN_OR_RETURN(base::AtomicFile file, base::AtomicFile::Create(path));
    output.atomic_.emplace(std::move(file));
    output.file_ = output.atomic_->descriptor();
  }
  const int flags = output.file_ < 0 ? -1 : fcntl(output.file_, F_GETFL);
  if (flags < 0) return SystemError(errno, "cannot write", output.path_);
  if ((flags & O_APPEND) == 0) output.start_ = lseek(output.file_, 0, SEEK_CUR);
  return output;
}

Output::Output(Output&& other) noexcept
    : path_(std::move(other.path_)),
      atomic_(std::move(other.atomic_)),
      file_(other.file_),
      owned_(std::exchange(other.owned_, false)),
      start_(other.start_),
      unsynced_(other.unsynced_),
      buffer_(std::move(other.buffer_)) {}

Output::~Output() {
  if (owned_) close(file_);
}

Status Output::Write(std::string_view bytes) {
  if (buffer_.size() + bytes.size() > kOutputBufferBytes) THIMBLE_RETURN_IF_ERROR(Flush());
  if (bytes.size() > kOutputBufferBytes) return Send(bytes);
  buffer_.reserve(kOutputBufferBytes);
  buffer_ += bytes;
  return Status();
}

Status Output::Flush() {
  THIMBLE_RETURN_IF_ERROR(Send(buffer_));
  buffer_.clear();
  return Status();
}

Status Output::Send(std::string_view bytes) {
  THIMBLE_RETURN_IF_ERROR(base::WriteAll(file_, std::as_bytes(std::span(bytes)), path_));
  unsynced_ += bytes.size();
#ifdef SYNC_FILE_RANGE_WRITE
  if (atomic_ && unsynced_ >= kUnsyncedBytes) {
    sync_file_range(file_, 0, 0, SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE | SYNC_FILE_RANGE_WAIT_AFTER);
    unsynced_ = 0;
  }
#endif
  return Status();
}

bool Output::seekable() const { return start_ >= 0; }

Status Output::WriteAt(std::uint64_t offset, std::string_view bytes) {
  THIMBLE_RETURN_IF_ERROR(Flush());
  return base::WriteAllAt(file_, static_cast<std::uint64_t>(start_) + offset, std::as_bytes(std::span(bytes)), path_);
}

Status Output::Finish() {
  THIMBLE_RETURN_IF_ERROR(Flush());
  if (atomic_) {
    THIMBLE_RETURN_IF_ERROR(atomic_->Commit());
    if (!atomic_->remark().empty()) std::fprintf(stderr, "thimble: %s\n", atomic_->remark().c_str());
    return Status();
  }
  if (!std::exchange(owned_, false)) return Status();
  // Some devices report a failure only on closing.
  return close(file_) == 0 ? Status() : SystemError(errno, "cannot write", path_);
}

bool Output::is_terminal() const { return isatty(file_) == 1; }

Status PrintValues(const json::Object& values, bool as_json, std::span<const base::InputFile> inputs) {
  THIMBLE_ASSIGN_OR_RETURN(Output output, Output::Open("", inputs));
  if (as_json) {
    THIMBLE_RETURN_IF_ERROR(output.Write(json::Value(values).Text() + "\n"));
    return output.Finish();
  }
  std::size_t width = 0;
  for (const auto& [key, value] : values) width = std::max(width, key.size() + 2);
  for (const auto& [key, value] : values) {
    std::string text = value.Text();
    if (value.is_string()) text = text.substr(1, text.size() - 2);
    THIMBLE_RETURN_IF_ERROR(output.Write(key + std::string(width - key.size(), ' ') + text + "\n"));
  }
  return output.Finish();
}

}  // namespace thimble::cli
