// Where results go: standard output, or a file that takes its name only when it is complete.

#ifndef THIMBLE_CLI_OUTPUT_H_
#define THIMBLE_CLI_OUTPUT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/atomic_file.h"
#include "base/regular_file.h"
#include "json/value.h"
#include "thimble/status.h"

namespace thimble::cli {

// The text with spaces in place of control characters.
std::string OneLine(std::string text);

// Results are handed to the system in pieces of at most this much, unless one is larger.
inline constexpr std::size_t kOutputBufferBytes = 32 << 10;

// Move-only; Thread-compatible. Destroyed before Finish(), it leaves the file named as it was.
class Output {
 public:
  // "" and "-" mean standard output; /dev/stdout and /dev/fd/N are what the process has open as that. Something else
  // that is not a regular file, such as a pipe, is written to directly. kInvalidArgument when it is one of `inputs`, of
  // which nothing must have been written yet: a shell may have opened it.
  static Result<Output> Open(const std::string& path, std::span<const base::InputFile> inputs = {});

  Output(Output&& other) noexcept;
  Output& operator=(Output&&) = delete;
  ~Output();

  Status Write(std::string_view bytes);
  // Hands everything written so far to the system.
  Status Flush();
  // Whether WriteAt can work: a pipe, a terminal and a file opened for appending cannot go back.
  bool seekable() const;
  // Replaces bytes already written, `offset` from where the output began.
  Status WriteAt(std::uint64_t offset, std::string_view bytes);
  // Flushes, and gives the file its name. Prints on standard error if it had to be written in place.
  Status Finish();

  bool is_terminal() const;

 private:
  Output() = default;
  Status Send(std::string_view bytes);

  std::string path_;                        // For messages.
  std::optional<base::AtomicFile> atomic_;  // A regular file; otherwise `file_` is written directly.
  int file_ = -1;
  bool owned_ = false;        // Whether `file_` is to be closed here.
  std::int64_t start_ = -1;   // Offset at which the output begins; -1 when not seekable.
  std::size_t unsynced_ = 0;  // Bytes written of which the disk may not know.
  std::string buffer_;
};

// Prints the members of an object, one a line, or the object in one line. The errors of Output::Open.
Status PrintValues(const json::Object& values, bool as_json, std::span<const base::InputFile> inputs = {});

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_OUTPUT_H_
