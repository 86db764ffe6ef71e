// Reads texts from a file, batch after batch, in memory that depends neither on the number of lines nor their lengths.

#ifndef THIMBLE_CLI_INPUT_H_
#define THIMBLE_CLI_INPUT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/regular_file.h"
#include "bulk/json_text.h"
#include "bulk/records.h"
#include "thimble/status.h"

namespace thimble::cli {

using bulk::kInputBlockBytes;
using bulk::kMaxJsonBytes;
using bulk::kMaxTextBytes;
using bulk::TextOfJson;
// Of a batch: enough to fill the tiles of one thread, and of several.
inline constexpr std::size_t kThreadTexts = 64, kBatchTexts = 256;

struct InputLimits {
  std::size_t batch_texts = kBatchTexts;   // A batch ends at whichever
  std::size_t batch_bytes = 128 << 10;     // of these comes first.
  std::size_t json_bytes = kMaxJsonBytes;  // Of one line.
};

class Arguments;

// TEXT... -i FILE --field NAME.
struct SourceOptions {
  std::vector<std::string> texts;
  std::string input;  // Empty when not given.
  std::string field = "text";

  void AddTo(Arguments& arguments);
  // kInvalidArgument when neither texts nor an input are given, or both.
  Status Check() const;
};

// Texts that are embedded together.
struct Batch {
  std::vector<std::string> texts;
  std::vector<bool> cut;          // Whether the line was longer than what is kept.
  std::uint64_t first_index = 0;  // Of the first text, counted over the whole input from 0.
};

// Texts of the arguments or of a file. Move-only; Thread-compatible.
class Input {
 public:
  // kNotFound or kIo when the file cannot be opened.
  static Result<Input> Open(const SourceOptions& options, const InputLimits& limits = {});

  Input(Input&& other) noexcept;
  Input& operator=(Input&&) = delete;
  ~Input();

  // Fills `batch` with the next texts, none at the end. A slow pipe gives what has arrived. kIo when reading fails,
  // kCorrupt, naming the line, for a line that is not the JSON expected.
  Status Next(Batch& batch);

  // Whether Next would find something, the end included, within `milliseconds`.
  bool ReadyWithin(int milliseconds) const;

  // Which file it reads.
  base::InputFile file() const;

  // Bytes read so far, and bytes in all or 0 when unknown.
  std::uint64_t bytes_read() const { return bytes_read_; }
  std::uint64_t bytes_total() const { return bytes_total_; }

 private:
  Input() = default;
  Status ReadBlock();
  Status EndLine(Batch& batch);

  InputLimits limits_;
  std::vector<std::string> texts_;  // Of the arguments.
  std::size_t next_text_ = 0;

  std::string name_;
  std::string field_;
  int file_ = -1;
  bool json_ = false;
  bool end_ = false;
  std::vector<char> block_;
  std::size_t block_begin_ = 0;
  std::size_t block_end_ = 0;
  std::string line_;         // So far.
  bool line_cut_ = false;    // Whether some of it was dropped.
  bool line_open_ = false;   // Whether it has begun.
  std::uint64_t lines_ = 0;  // Texts given out.
  std::uint64_t bytes_read_ = 0;
  std::uint64_t bytes_total_ = 0;
};

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_INPUT_H_
