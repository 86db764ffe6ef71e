// Lines, JSON lines, and the CSV of RFC 4180.

#include "bulk/records.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <utility>

#include "base/ascii.h"
#include "base/error.h"
#include "bulk/json_text.h"
#include "json/value.h"
#include "text/utf8.h"

namespace thimble::bulk {
namespace {

constexpr std::size_t kShownNames = 10;

}  // namespace

bool IsBlank(std::string_view line) { return line.find_first_not_of(" \t\r") == std::string_view::npos; }

bool HasExtension(std::string_view path, std::string_view extension) {
  return path.size() >= extension.size() &&
         std::equal(extension.begin(), extension.end(), path.end() - static_cast<std::ptrdiff_t>(extension.size()),
                    [](char a, char b) { return a == base::ToLower(b); });
}

std::string_view NoText(std::string_view begin) {
  constexpr std::pair<std::string_view, std::string_view> kKinds[] = {
      {"\xFF\xFE", "UTF-16; convert it"},     {"\xFE\xFF", "UTF-16; convert it"},
      {"\x1F\x8B", "gzip; unpack it first"},  {"\x28\xB5\x2F\xFD", "zstd; unpack it first"},
      {"\xFD\x37zXZ", "xz; unpack it first"}, {"PK\x03\x04", "a ZIP archive; unpack it first"},
  };
  for (const auto& [magic, what] : kKinds) {
    if (begin.starts_with(magic)) return what;
  }
  return begin.find('\0') == std::string_view::npos ? "" : "a NUL byte, as UTF-16 and binary files have; convert it";
}

std::string WhyNotUtf8(std::string_view text) {
  const std::size_t at = text::Utf8Prefix(text);
  if (at == text.size()) return "";
  char byte[8];
  std::snprintf(byte, sizeof byte, "0x%02X", static_cast<unsigned char>(text[at]));
  return std::string("expected UTF-8, found the byte ") + byte + " at byte " + std::to_string(at) +
         " of the text; convert it, for example with iconv -f WINDOWS-1252 -t UTF-8";
}

Status CheckLinesHaveNoFields(const std::string& path, const std::string& text_field, const std::string& id_field) {
  const bool text = !text_field.empty() && text_field != "text";  // The default says nothing.
  if (!text && id_field.empty()) return Status();
  return Error(Code::kInvalidArgument, text ? "`field` \"" : "`id_field` \"", text ? text_field : id_field,
               "\": ", path, " has lines of text, which have no ", text ? "fields" : "ids",
               "; expected a .jsonl, .csv or .tsv file");
}

bool CutText(std::string& text, bool cut) {
  if (text.size() > kMaxTextBytes) {
    text.resize(kMaxTextBytes);
    cut = true;
  }
  if (!cut || text.empty()) return cut;
  std::size_t back = 1;
  while (back < 4 && back < text.size() && (static_cast<unsigned char>(text[text.size() - back]) & 0xC0) == 0x80)
    ++back;
  const auto lead = static_cast<unsigned char>(text[text.size() - back]);
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
  if (length > back) text.resize(text.size() - back);
  return true;
}

Result<InputFormat> InputFormatOf(std::string_view path) {
  for (std::string_view name : {".parquet", ".arrow", ".feather"}) {
    if (HasExtension(path, name)) {
      return Error(Code::kUnsupported, path, ": ", name.substr(1),
                   " files are read and written by thimble.bulk of the ",
                   "Python package, with pyarrow; expected .txt, .jsonl, .csv or .tsv here");
    }
  }
  if (HasExtension(path, ".json")) {
    return Error(Code::kUnsupported, path, ": expected JSON with a value in each line, in a file that ends in .jsonl; ",
                 "jq -c '.[]' makes that of an array");
  }
  if (HasExtension(path, ".jsonl") || HasExtension(path, ".ndjson")) return InputFormat::kJsonl;
  if (HasExtension(path, ".csv")) return InputFormat::kCsv;
  if (HasExtension(path, ".tsv")) return InputFormat::kTsv;
  return InputFormat::kLines;
}

std::string_view InputFormatName(InputFormat format) {
  constexpr std::string_view kNames[] = {"lines", "jsonl", "csv", "tsv"};
  return kNames[static_cast<std::size_t>(format)];
}

Result<RecordReader> RecordReader::Open(const std::string& path, const RecordOptions& options) {
  if (options.format == InputFormat::kLines) {
    THIMBLE_RETURN_IF_ERROR(CheckLinesHaveNoFields(path, options.text_field, options.id_field));
  }
  THIMBLE_ASSIGN_OR_RETURN(base::RegularFile file, base::RegularFile::Open(path));
  RecordReader reader(std::move(file), options);
  if (reader.Peek() >= 0) {
    const std::string_view found = NoText(std::string_view(reader.block_.data(), reader.end_));
    if (!found.empty()) return reader.Broken("expected UTF-8, found " + std::string(found));
    if (std::string_view(reader.block_.data(), reader.end_).starts_with(kByteOrderMark)) {
      reader.at_ = kByteOrderMark.size();
    }
  }
  if (reader.csv()) THIMBLE_RETURN_IF_ERROR(reader.ReadHeader());
  reader.HashTaken();
  reader.begin_ = {reader.place(), 0, reader.lines_, reader.hash_};
  return reader;
}

bool RecordReader::Fill() {
  if (!status_.ok() || read_ == file_.size()) return false;
  HashTaken();
  const std::size_t size = std::min<std::uint64_t>(block_.size(), file_.size() - read_);
  status_ = file_.ReadAt(read_, std::as_writable_bytes(std::span(block_).first(size)));
  if (!status_.ok()) return false;
  read_ += size;
  at_ = hashed_ = 0;
  end_ = size;
  return true;
}

void RecordReader::HashTaken() {
  hash_.Update(std::string_view(block_.data() + hashed_, at_ - hashed_));
  hashed_ = at_;
}

Status RecordReader::Resume(Position place, std::string_view hash) {
  bool same = place.bytes >= begin_.bytes && place.bytes <= file_.size();
  if (same) {
    base::Sha256 found;
    THIMBLE_RETURN_IF_ERROR(found.Update(file_, 0, place.bytes));
    hash_ = found;
    same = found.Hex() == hash;
  }
  if (!same) {
    return Error(Code::kInvalidArgument, "cannot resume: the first ", place.bytes, " bytes of ", file_.path(),
                 " are no longer those that were embedded; remove the files of the unfinished job to begin anew");
  }
  at_ = end_ = hashed_ = 0;
  read_ = place.bytes;
  lines_ = place.lines;
  records_ = place.records;
  begin_ = {place.bytes, place.records, place.lines, hash_};
  return Status();
}

Status RecordReader::CheckUnchanged() const {
  THIMBLE_ASSIGN_OR_RETURN(const base::FileStamp now, file_.StampNow());
  if (!now.WrittenSince(file_.stamp())) return Status();
  return Error(Code::kIo, file_.path(), ": was written to while it was read (", file_.stamp().size, " bytes, now ",
               now.size, ")");
}

Status RecordReader::Broken(const std::string& why) const {
  if (!status_.ok()) return status_;
  return Error(Code::kCorrupt, file_.path(), ": ", csv() ? "record " + std::to_string(records_ + 1) + ", " : "",
               "line ", first_line_ + 1, ": ", why);
}

Status RecordReader::FindColumn(const std::vector<std::string>& names, const std::string& field,
                                std::size_t& column) const {
  const auto found = std::find(names.begin(), names.end(), field);
  if (found == names.end()) {
    std::string list;
    for (std::size_t i = 0; i < std::min(names.size(), kShownNames); ++i)
      list += (i > 0 ? ", \"" : "\"") + names[i] + "\"";
    if (names.size() > kShownNames) list += ", ...";
    if (names.size() == 1)
      list += options_.format == InputFormat::kTsv ? "; tabs separate columns" : "; commas separate columns";
    return Error(Code::kInvalidArgument, file_.path(), ": line 1: expected a column \"", field, "\", found ", list);
  }
  if (std::find(found + 1, names.end(), field) != names.end()) {
    return Error(Code::kCorrupt, file_.path(), ": line 1: two columns are called \"", field, "\"");
  }
  column = static_cast<std::size_t>(found - names.begin());
  return Status();
}

Status RecordReader::ReadHeader() {
  if (Peek() < 0) return Broken("expected a header with the names of the columns, found an empty file");
  std::vector<std::string> names;
  std::size_t bytes = 0;
  for (bool last = false; !last;) {
    bool cut = false;
    THIMBLE_RETURN_IF_ERROR(ReadField(kMaxHeaderBytes - bytes, field_, cut, last));
    bytes += field_.size() + 1;
    if (cut || bytes >= kMaxHeaderBytes) {
      return Broken("expected names of columns of at most " + std::to_string(kMaxHeaderBytes) + " bytes");
    }
    names.push_back(field_);
  }
  columns_ = names.size();
  THIMBLE_RETURN_IF_ERROR(FindColumn(names, options_.text_field, text_column_));
  if (!options_.id_field.empty()) THIMBLE_RETURN_IF_ERROR(FindColumn(names, options_.id_field, id_column_));
  return status_;
}

Status RecordReader::ReadField(std::size_t keep, std::string& field, bool& cut, bool& last) {
  const char separator = options_.format == InputFormat::kTsv ? '\t' : ',';
  field.clear();
  cut = last = false;
  const auto add = [&](char c) { field.size() < keep ? field.push_back(c) : void(cut = true); };
  const bool quoted = Peek() == '"';
  if (quoted) Take();
  for (bool open = quoted;;) {
    const int c = Peek();
    if (place() - first_byte_ > options_.record_bytes) {
      return Broken("expected a record of at most " + std::to_string(options_.record_bytes) +
                    " bytes; a quote may be open");
    }
    if (c < 0) {
      if (!status_.ok()) return status_;
      if (open) return Broken("the file ends inside quotes");
      last = true;
      return Status();
    }
    if (open) {
      Take();
      if (c != '"') {
        add(static_cast<char>(c));
      } else if (Peek() == '"') {
        Take();
        add('"');
      } else {
        open = false;
      }
      continue;
    }
    if (c == separator || c == '\n') {
      Take();
      last = c == '\n';
      return Status();
    }
    Take();
    if (c == '\r' && (Peek() == '\n' || Peek() < 0)) {
      if (Peek() == '\n') Take();
      last = true;
      return status_;
    }
    if (quoted) {
      return Broken(std::string("expected a ") + (separator == ',' ? "comma" : "tab") +
                    " or the end of the line after the closing quote");
    }
    add(static_cast<char>(c));
  }
}

Status RecordReader::NextRow(RecordBatch& batch) {
  // An empty line is a record only where a record is one field.
  while (columns_ > 1 && (Peek() == '\n' || Peek() == '\r')) {
    first_line_ = lines_;
    first_byte_ = place();
    const bool carriage_return = Peek() == '\r';
    Take();
    if (carriage_return && Peek() == '\n') Take();
  }
  if (Peek() < 0) return status_;
  first_line_ = lines_;
  first_byte_ = place();
  bool last = false, text_cut = false, id_cut = false;
  std::size_t count = 0;
  for (; !last; ++count) {
    bool cut = false;
    const bool is_text = count == text_column_, is_id = count == id_column_ && !options_.id_field.empty();
    THIMBLE_RETURN_IF_ERROR(ReadField(is_text ? kMaxTextBytes : is_id ? kMaxIdBytes : 0, field_, cut, last));
    if (is_id) {
      id_ = field_;
      id_cut = cut;
    }
    if (is_text) {
      text_.swap(field_);
      text_cut = cut;
    }
  }
  if (count != columns_) {
    return Broken("expected " + std::to_string(columns_) + " fields as in the header, found " + std::to_string(count));
  }
  if (id_cut) return Broken("expected an id of at most " + std::to_string(kMaxIdBytes) + " bytes");
  if (!options_.id_field.empty()) {
    if (const std::string why = WhyNotUtf8(id_); !why.empty()) return Broken("the id: " + why);
    batch.ids.push_back(json::Value(id_).Text());
  }
  return TakeText(batch, text_cut);
}

Status RecordReader::NextLine(RecordBatch& batch) {
  const bool json = options_.format == InputFormat::kJsonl;
  bool cut = false;
  do {
    if (Peek() < 0) return status_;
    THIMBLE_RETURN_IF_ERROR(ReadLine(json ? options_.record_bytes : kMaxTextBytes, cut));
  } while (json && !cut && IsBlank(text_));
  if (json) {
    if (cut) return Broken("expected at most " + std::to_string(options_.record_bytes) + " bytes of JSON");
    auto found = TextAndIdOfJson(text_, options_.text_field, options_.id_field);
    if (!found.ok()) {
      const std::string why = WhyNotUtf8(text_);
      return Broken(why.empty() ? found.status().message() : why);
    }
    if (found->id.size() > kMaxIdBytes) {
      return Broken("expected an id of at most " + std::to_string(kMaxIdBytes) + " bytes");
    }
    text_ = std::move(found->text);
    if (!options_.id_field.empty()) batch.ids.push_back(std::move(found->id));
  } else if (!cut && text_.ends_with('\r')) {
    text_.pop_back();
  }
  return TakeText(batch, cut);
}

Status RecordReader::TakeText(RecordBatch& batch, bool cut) {
  batch.cut.push_back(CutText(text_, cut));
  if (const std::string why = WhyNotUtf8(text_); !why.empty()) return Broken(why);
  batch.texts.push_back(text_);
  ++records_;
  return Status();
}

Status RecordReader::ReadLine(std::size_t keep, bool& cut) {
  first_line_ = lines_;
  text_.clear();
  cut = false;
  for (bool ended = false; !ended && Peek() >= 0;) {
    const char* begin = block_.data() + at_;
    const void* newline = std::memchr(begin, '\n', end_ - at_);
    ended = newline != nullptr;
    const std::size_t length = ended ? static_cast<std::size_t>(static_cast<const char*>(newline) - begin) : end_ - at_;
    const std::size_t kept = std::min(length, keep - text_.size());
    text_.append(begin, kept);
    cut |= kept < length;
    at_ += length;
    if (ended) Take();
  }
  return status_;
}

Status RecordReader::Next(RecordBatch& batch) {
  batch.texts.clear();
  batch.cut.clear();
  batch.ids.clear();
  batch.first = records_;
  std::size_t bytes = 0;
  while (batch.texts.size() < options_.batch_texts && bytes < options_.batch_bytes) {
    const std::size_t before = batch.texts.size();
    THIMBLE_RETURN_IF_ERROR(csv() ? NextRow(batch) : NextLine(batch));
    if (batch.texts.size() == before) break;
    bytes += batch.texts.back().size();
  }
  HashTaken();
  batch.end = {place(), records_, lines_, hash_};
  return Status();
}

}  // namespace thimble::bulk
