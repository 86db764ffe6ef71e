// Lines of a file as texts.

#include "cli/input.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace thimble::cli {
Result<Input> Input::Open(const SourceOptions& options, const InputLimits& limits) {
  THIMBLE_RETURN_IF_ERROR(options.Check());
  THIMBLE_ASSIGN_OR_RETURN(const bulk::InputFormat format, bulk::InputFormatOf(options.input));
  if (format == bulk::InputFormat::kCsv || format == bulk::InputFormat::kTsv) {
    return Error(
        Code::kUnsupported, options.input,
        ": columns are read only by thimble embed with -i FILE and -o FILE; the lines of the file are texts under ",
        "another name, such as lines.txt");
  }
  if (format == bulk::InputFormat::kLines && !options.input.empty()) {
    THIMBLE_RETURN_IF_ERROR(bulk::CheckLinesHaveNoFields(options.input, options.field, ""));
  }
  Input input;
  input.limits_ = limits;
  if (options.input.empty()) {
    input.texts_ = options.texts;
    input.end_ = true;
    return input;
  }
  input.field_ = options.field;
  input.json_ = format == bulk::InputFormat::kJsonl;
  input.name_ = options.input == "-" ? "standard input" : options.input;
  input.file_ = options.input == "-" ? dup(STDIN_FILENO) : open(options.input.c_str(), O_RDONLY | O_CLOEXEC);
  if (input.file_ < 0) return SystemError(errno, "cannot open", input.name_);
  struct stat status;
  if (fstat(input.file_, &status) == 0 && S_ISREG(status.st_mode)) {
    input.bytes_total_ = static_cast<std::uint64_t>(status.st_size);
  }
  input.block_.resize(kInputBlockBytes);
  return input;
}

Input::Input(Input&& other) noexcept
    : limits_(other.limits_),
      texts_(std::move(other.texts_)),
      next_text_(other.next_text_),
      name_(std::move(other.name_)),
      field_(std::move(other.field_)),
      file_(std::exchange(other.file_, -1)),
      json_(other.json_),
      end_(other.end_),
      block_(std::move(other.block_)),
      block_begin_(other.block_begin_),
      block_end_(other.block_end_),
      line_(std::move(other.line_)),
      line_cut_(other.line_cut_),
      line_open_(other.line_open_),
      lines_(other.lines_),
      bytes_read_(other.bytes_read_),
      bytes_total_(other.bytes_total_) {}

Input::~Input() {
  if (file_ >= 0) close(file_);
}

Status Input::ReadBlock() {
  ssize_t count;
  while ((count = read(file_, block_.data(), block_.size())) < 0) {
    if (errno == EAGAIN || errno == EWOULDBLOCK) {
      pollfd more = {file_, POLLIN, 0};
      if (poll(&more, 1, -1) < 0 && errno != EINTR) return SystemError(errno, "cannot read", name_);
    } else if (errno != EINTR) {
      return SystemError(errno, "cannot read", name_);
    }
  }
  block_begin_ = 0;
  block_end_ = static_cast<std::size_t>(count);
  if (bytes_read_ == 0) {
    const std::string_view found = bulk::NoText(std::string_view(block_.data(), block_end_));
    if (!found.empty()) return Error(Code::kCorrupt, name_, ": line 1: expected UTF-8, found ", found);
    if (std::string_view(block_.data(), block_end_).starts_with(bulk::kByteOrderMark)) {
      block_begin_ = bulk::kByteOrderMark.size();
    }
  }
  bytes_read_ += block_end_;
  end_ = count == 0;
  return Status();
}

base::InputFile Input::file() const { return {name_, file_ < 0 ? std::nullopt : base::IdentityOfHandle(file_)}; }

bool Input::ReadyWithin(int milliseconds) const {
  if (file_ < 0 || end_ || block_begin_ != block_end_) return true;
  pollfd file = {file_, POLLIN, 0};
  return poll(&file, 1, milliseconds) != 0;
}

Status Input::EndLine(Batch& batch) {
  ++lines_;
  const auto broken = [&](const std::string& why) {
    return Error(Code::kCorrupt, name_, ": line ", lines_, ": ", why);
  };
  if (json_) {
    if (line_cut_) {
      return broken("expected at most " + std::to_string(limits_.json_bytes) + " bytes of JSON" +
                    (limits_.json_bytes < kMaxJsonBytes ? "; raise --max-memory to allow more" : ""));
    }
    if (bulk::IsBlank(line_)) {
      line_.clear();
      line_open_ = false;
      return Status();
    }
    auto text = TextOfJson(line_, field_);
    if (!text.ok()) {
      const std::string why = bulk::WhyNotUtf8(line_);
      return broken(why.empty() ? text.status().message() : why);
    }
    line_ = *std::move(text);
  } else if (!line_cut_ && line_.ends_with('\r')) {
    line_.pop_back();
  }
  line_cut_ = bulk::CutText(line_, line_cut_);
  if (const std::string why = bulk::WhyNotUtf8(line_); !why.empty()) return broken(why);
  batch.texts.push_back(std::move(line_));
  batch.cut.push_back(line_cut_);
  line_.clear();
  line_cut_ = line_open_ = false;
  return Status();
}

Status Input::Next(Batch& batch) {
  batch.first_index += batch.texts.size();
  batch.texts.clear();
  batch.cut.clear();
  for (; next_text_ < texts_.size() && batch.texts.size() < limits_.batch_texts; ++next_text_) {
    if (const std::string why = bulk::WhyNotUtf8(texts_[next_text_]); !why.empty()) {
      return Error(Code::kInvalidArgument, "text ", next_text_ + 1, " of the arguments: ", why);
    }
    batch.texts.push_back(std::move(texts_[next_text_]));
    batch.cut.push_back(false);
  }

  const std::size_t keep = json_ ? limits_.json_bytes : kMaxTextBytes;
  std::size_t bytes = 0;
  while (batch.texts.size() < limits_.batch_texts && bytes < limits_.batch_bytes) {
    if (block_begin_ == block_end_) {
      if (!end_ && !batch.texts.empty() && !line_open_) break;  // Reading more could wait.
      if (!end_) THIMBLE_RETURN_IF_ERROR(ReadBlock());
      if (end_) {
        if (line_open_) THIMBLE_RETURN_IF_ERROR(EndLine(batch));
        break;
      }
    }
    const char* begin = block_.data() + block_begin_;
    const std::size_t available = block_end_ - block_begin_;
    const void* newline = std::memchr(begin, '\n', available);
    const std::size_t length =
        newline == nullptr ? available : static_cast<std::size_t>(static_cast<const char*>(newline) - begin);
    const std::size_t kept = std::min(length, keep - line_.size());
    line_.append(begin, kept);
    line_cut_ = line_cut_ || kept < length;
    line_open_ = true;
    block_begin_ += length;
    if (newline != nullptr) {
      ++block_begin_;
      bytes += line_.size();
      THIMBLE_RETURN_IF_ERROR(EndLine(batch));
    } else if (!batch.texts.empty()) {
      break;
    }
  }
  return Status();
}

}  // namespace thimble::cli
