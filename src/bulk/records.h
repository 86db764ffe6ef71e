// Reads the texts of a file, batch after batch, from any record on.

#ifndef THIMBLE_BULK_RECORDS_H_
#define THIMBLE_BULK_RECORDS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/regular_file.h"
#include "base/sha256.h"
#include "thimble/status.h"

namespace thimble::bulk {

// Of a longer text only this much is kept: thousands of tokens more than any model takes.
inline constexpr std::size_t kMaxTextBytes = 64 << 10;
// JSON cannot be cut, so a longer line is an error.
inline constexpr std::size_t kMaxJsonBytes = 4 << 20;
// What is read at once.
inline constexpr std::size_t kInputBlockBytes = 32 << 10;
// Of the names of a CSV file's columns together, and of one id.
inline constexpr std::size_t kMaxHeaderBytes = 64 << 10;
inline constexpr std::size_t kMaxIdBytes = 4 << 10;

// Cuts a text at kMaxTextBytes, or where `cut` says that it already was, so that no UTF-8 sequence is left in two.
// Returns whether something is missing.
bool CutText(std::string& text, bool cut);

// Whether the name of a file ends in `extension`, which is in lower case, in whatever case.
bool HasExtension(std::string_view path, std::string_view extension);

// What a file that begins so has instead of text, and what to do; empty if it may have text. Of a compressed file each
// line of garbage would get a vector.
std::string_view NoText(std::string_view begin);

// What of a text is not UTF-8, and what to do; empty if all of it is. A tokenizer would read U+FFFD, and nobody would
// learn that a corpus in Latin-1 has lost its letters.
std::string WhyNotUtf8(std::string_view text);

inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// Whether a line of JSON has only white space: it is no record.
bool IsBlank(std::string_view line);

// kInvalidArgument for the names of fields that `path` cannot have, because it has lines of text.
Status CheckLinesHaveNoFields(const std::string& path, const std::string& text_field, const std::string& id_field);

enum class InputFormat { kLines, kJsonl, kCsv, kTsv };
// By what the name ends in. kUnsupported for Parquet and Arrow, naming what reads them.
Result<InputFormat> InputFormatOf(std::string_view path);
std::string_view InputFormatName(InputFormat format);

struct RecordOptions {
  InputFormat format = InputFormat::kLines;
  std::string text_field, id_field;
  std::size_t batch_texts = 256;
  std::size_t batch_bytes = 128 << 10;
  std::size_t record_bytes = kMaxJsonBytes;
};

// A place between two records.
struct Position {
  std::uint64_t bytes = 0;    // Before it.
  std::uint64_t records = 0;  // The header is none.
  std::uint64_t lines = 0;    // Ends of lines.
  base::Sha256 hash;          // Of the bytes before it.
};

struct RecordBatch {
  std::vector<std::string> texts;
  std::vector<bool> cut;         // Whether the text was longer than what is kept.
  std::vector<std::string> ids;  // JSON; empty without an id_field.
  std::uint64_t first = 0;       // Records before the first one.
  Position end;
};

// Move-only; Thread-compatible. Reads the bytes that the file had when it was opened.
class RecordReader {
 public:
  // Reads the header of CSV. kNotFound or kIo when the file cannot be opened, kInvalidArgument when it has no such
  // column.
  static Result<RecordReader> Open(const std::string& path, const RecordOptions& options);

  // Goes to a place that an earlier reader of the same bytes was at. kInvalidArgument if they are not the same: their
  // hash is not `hash`.
  Status Resume(Position place, std::string_view hash);

  // Fills `batch` with the next records, none at the end. kCorrupt, naming record and line, for one that cannot be
  // read.
  Status Next(RecordBatch& batch);

  // kIo if the file was written to since it was opened.
  Status CheckUnchanged() const;

  const base::RegularFile& file() const { return file_; }
  const Position& begin() const { return begin_; }

 private:
  RecordReader(base::RegularFile file, const RecordOptions& options)
      : file_(std::move(file)), options_(options), block_(kInputBlockBytes) {}

  // The next byte without taking it, or -1 at the end. On failure `status_` is set.
  int Peek() {
    if (at_ == end_ && !Fill()) return -1;
    return static_cast<unsigned char>(block_[at_]);
  }
  void Take() { lines_ += block_[at_++] == '\n'; }
  bool Fill();
  void HashTaken();
  std::uint64_t place() const { return read_ - (end_ - at_); }
  Status Broken(const std::string& why) const;

  Status ReadHeader();
  Status FindColumn(const std::vector<std::string>& names, const std::string& field, std::size_t& column) const;
  Status NextLine(RecordBatch& batch);
  // The text in hand as a record's.
  Status TakeText(RecordBatch& batch, bool cut);
  Status NextRow(RecordBatch& batch);
  // A line into `text_`, of which at most `keep` bytes are kept.
  Status ReadLine(std::size_t keep, bool& cut);
  // One field up to its separator, of which at most `keep` bytes are kept; `last` is whether the record ends with it.
  Status ReadField(std::size_t keep, std::string& field, bool& cut, bool& last);
  bool csv() const { return options_.format == InputFormat::kCsv || options_.format == InputFormat::kTsv; }

  base::RegularFile file_;
  RecordOptions options_;
  std::vector<char> block_;
  std::size_t at_ = 0, end_ = 0;  // Of the block: taken, and filled.
  std::size_t hashed_ = 0;        // Of the block.
  std::uint64_t read_ = 0;        // Of the file.
  std::uint64_t lines_ = 0, records_ = 0;
  std::uint64_t first_line_ = 0;  // Of the record being read, from 0.
  std::uint64_t first_byte_ = 0;
  base::Sha256 hash_;
  Status status_;
  std::size_t columns_ = 0, text_column_ = 0, id_column_ = 0;
  Position begin_;
  std::string text_, field_, id_;  // Reused.
};

}  // namespace thimble::bulk

#endif  // THIMBLE_BULK_RECORDS_H_
