// Reading the directory of a zip archive: the record at the end of the file, the one of 64 bits before it, the central
// directory that they point to, and the header before each entry's data.

#include "convert/zip_file.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "convert/file_reader.h"

namespace thimble::convert {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint64_t kEndBytes = 22, kLocatorBytes = 20, kEnd64Bytes = 56, kCentralBytes = 46, kLocalBytes = 30;
constexpr std::uint64_t kEndMark = 0x06054b50, kLocatorMark = 0x07064b50, kEnd64Mark = 0x06064b50,
                        kCentralMark = 0x02014b50, kLocalMark = 0x04034b50;
constexpr std::uint64_t kMaxCommentBytes = 65535;
// In a field of 16 or 32 bits: the value is in the record or field of 64 bits.
constexpr std::uint64_t kSaturated16 = 0xffff, kSaturated32 = 0xffffffff;
constexpr std::uint64_t kMaxNameBytes = 1024;
// A hundred bytes an entry are usual.
constexpr std::uint64_t kMaxDirectoryBytes = 16 << 20;

std::uint64_t Field(Bytes record, std::size_t begin, std::size_t bytes) {
  return LittleEndian(record.subspan(begin, bytes));
}

struct Directory {
  std::uint64_t begin = 0, bytes = 0, entries = 0;
  std::uint64_t limit = 0;  // Where the records behind it begin.
};

struct Place {
  std::uint64_t begin = 0, end = 0;  // From the local header to the end of the data.
  std::size_t entry = 0;
};

class Reader {
 public:
  explicit Reader(const base::RegularFile& file) : file_(file) {}

  Result<std::vector<ZipEntry>> Run() {
    THIMBLE_RETURN_IF_ERROR(FindDirectory());
    if (directory_.entries == 0) return Corrupt("the zip archive is empty");
    if (directory_.entries > kMaxZipEntries || directory_.bytes > kMaxDirectoryBytes) {
      return Corrupt("the zip directory has ", directory_.entries, " entries in ", directory_.bytes, " bytes, at most ",
                     kMaxZipEntries, " in ", kMaxDirectoryBytes, " are allowed");
    }
    const auto end = base::CheckedAdd(directory_.begin, directory_.bytes);
    if (!end || *end > directory_.limit) {
      return Corrupt("the zip directory needs ", directory_.bytes, " bytes at byte ", directory_.begin,
                     ", its end is at byte ", directory_.limit);
    }
    FileReader reader(file_, directory_.begin, *end);
    for (std::uint64_t i = 0; i < directory_.entries; ++i) THIMBLE_RETURN_IF_ERROR(ReadEntry(reader));
    if (reader.left() != 0) return Corrupt("the zip directory has ", reader.left(), " bytes behind its last entry");
    THIMBLE_RETURN_IF_ERROR(CheckPlaces());
    THIMBLE_RETURN_IF_ERROR(CheckNames());
    return std::move(entries_);
  }

 private:
  template <typename... Parts>
  Status Corrupt(const Parts&... parts) const {
    return Error(Code::kCorrupt, file_.path(), ": ", parts...);
  }

  // The record at the end, behind which is nothing but its comment.
  Status FindDirectory() {
    std::vector<std::byte> tail(std::min(file_.size(), kEndBytes + kMaxCommentBytes));
    const std::uint64_t tail_begin = file_.size() - tail.size();
    THIMBLE_RETURN_IF_ERROR(file_.ReadAt(tail_begin, tail));
    for (std::uint64_t at = tail.size(); at-- > 0;) {
      const Bytes record = Bytes(tail).subspan(at);
      if (record.size() < kEndBytes || Field(record, 0, 4) != kEndMark) continue;
      if (Field(record, 20, 2) != record.size() - kEndBytes) continue;
      return ReadEnd(record, tail_begin + at);
    }
    return Corrupt("the zip archive has no end record: it is cut short, or bytes follow it");
  }

  Status ReadEnd(Bytes record, std::uint64_t at) {
    if (Field(record, 4, 2) != Field(record, 6, 2)) return Disks();
    directory_ = {Field(record, 16, 4), Field(record, 12, 4), Field(record, 10, 2), at};
    const Directory small = directory_;
    std::array<std::byte, kLocatorBytes> locator = {};
    if (at >= kLocatorBytes) THIMBLE_RETURN_IF_ERROR(file_.ReadAt(at - kLocatorBytes, locator));
    if (Field(locator, 0, 4) == kLocatorMark) {
      THIMBLE_RETURN_IF_ERROR(ReadEnd64(Field(locator, 8, 8), at - kLocatorBytes));
    } else if (Field(record, 8, 2) != small.entries) {
      return Disks();
    }
    // Readers that take the other record must find the same directory.
    auto agrees = [](std::uint64_t narrow, std::uint64_t wide, std::uint64_t saturated) {
      return narrow == saturated || narrow == wide;
    };
    if (!agrees(small.begin, directory_.begin, kSaturated32) || !agrees(small.bytes, directory_.bytes, kSaturated32) ||
        !agrees(small.entries, directory_.entries, kSaturated16)) {
      return Corrupt("the end records of the zip archive contradict each other");
    }
    return Status();
  }

  Status ReadEnd64(std::uint64_t begin, std::uint64_t limit) {
    if (limit < kEnd64Bytes || begin > limit - kEnd64Bytes) {
      return Corrupt("the 64-bit end record of the zip archive: expected before byte ", limit, ", found at byte ",
                     begin);
    }
    std::array<std::byte, kEnd64Bytes> record;
    THIMBLE_RETURN_IF_ERROR(file_.ReadAt(begin, record));
    if (Field(record, 0, 4) != kEnd64Mark) return Corrupt("no 64-bit end record of a zip archive at byte ", begin);
    if (Field(record, 16, 4) != Field(record, 20, 4) || Field(record, 24, 8) != Field(record, 32, 8)) return Disks();
    directory_ = {Field(record, 48, 8), Field(record, 40, 8), Field(record, 32, 8), begin};
    return Status();
  }

  Status Disks() const {
    return Error(Code::kUnsupported, file_.path(), ": the zip archive is split over several files");
  }

  Status ReadEntry(FileReader& reader) {
    const std::uint64_t at = reader.offset();
    std::array<std::byte, kCentralBytes> record;
    THIMBLE_RETURN_IF_ERROR(reader.Read(record));
    if (Field(record, 0, 4) != kCentralMark) return Corrupt("no entry of a zip directory at byte ", at);
    const std::uint64_t name_bytes = Field(record, 28, 2);
    if (name_bytes == 0 || name_bytes > kMaxNameBytes) {
      return Corrupt("the zip entry at byte ", at, " has a name of ", name_bytes, " bytes, 1 to ", kMaxNameBytes,
                     " are allowed");
    }
    ZipEntry entry;
    entry.name.resize(name_bytes);
    THIMBLE_RETURN_IF_ERROR(reader.Read(std::as_writable_bytes(std::span(entry.name))));
    std::vector<std::byte> extra(Field(record, 30, 2)), comment(Field(record, 32, 2));
    THIMBLE_RETURN_IF_ERROR(reader.Read(extra));
    THIMBLE_RETURN_IF_ERROR(reader.Read(comment));

    const std::string name = "zip entry \"" + Printable(entry.name) + "\"";
    if (Field(record, 8, 2) & 1) return Error(Code::kUnsupported, file_.path(), ": ", name, " is encrypted");
    if (const std::uint64_t method = Field(record, 10, 2); method != 0) {
      return Error(Code::kUnsupported, file_.path(), ": ", name, ": expected a stored entry, found ",
                   method == 8 ? "a deflated one" : "compression method " + std::to_string(method));
    }
    entry.bytes = Field(record, 24, 4);
    std::uint64_t compressed = Field(record, 20, 4), header = Field(record, 42, 4);
    if (!Widen(extra, {&entry.bytes, &compressed, &header})) return Corrupt(name, " has a malformed 64-bit field");
    if (compressed != entry.bytes) {
      return Corrupt(name, " is stored, but has ", compressed, " bytes for ", entry.bytes);
    }
    THIMBLE_RETURN_IF_ERROR(ReadLocalHeader(header, name, entry));
    places_.push_back({header, entry.begin + entry.bytes, entries_.size()});
    entries_.push_back(std::move(entry));
    return Status();
  }

  // Replaces the saturated ones of `fields` with those of the extra field of 64 bits, where they are in this order.
  static bool Widen(Bytes extra, std::array<std::uint64_t*, 3> fields) {
    Bytes wide;
    while (extra.size() >= 4) {
      const std::uint64_t bytes = Field(extra, 2, 2);
      if (bytes > extra.size() - 4) return false;
      if (Field(extra, 0, 2) == 1) {
        if (!wide.empty()) return false;
        wide = extra.subspan(4, bytes);
      }
      extra = extra.subspan(4 + bytes);
    }
    for (std::uint64_t* field : fields) {
      if (*field != kSaturated32) continue;
      if (wide.size() < 8) return false;
      *field = Field(wide, 0, 8);
      wide = wide.subspan(8);
    }
    return true;
  }

  // Finds where the data of `entry` begins.
  Status ReadLocalHeader(std::uint64_t begin, const std::string& name, ZipEntry& entry) const {
    const std::uint64_t limit = directory_.begin;
    const std::uint64_t fixed = kLocalBytes + entry.name.size();
    if (begin > limit || fixed > limit - begin) {
      return Corrupt(name, " begins at byte ", begin, ", the data ends at byte ", limit);
    }
    std::vector<std::byte> header(fixed);
    THIMBLE_RETURN_IF_ERROR(file_.ReadAt(begin, header));
    const std::string_view local_name(reinterpret_cast<const char*>(header.data()) + kLocalBytes, entry.name.size());
    if (Field(header, 0, 4) != kLocalMark || Field(header, 8, 2) != 0 || Field(header, 26, 2) != entry.name.size() ||
        local_name != entry.name) {
      return Corrupt(name, ": the header at byte ", begin, " is not that of this entry");
    }
    entry.begin = begin + fixed + Field(header, 28, 2);
    if (entry.begin > limit || entry.bytes > limit - entry.begin) {
      return Corrupt(name, " needs ", entry.bytes, " bytes at byte ", entry.begin, ", the data ends at byte ", limit);
    }
    return Status();
  }

  Status CheckPlaces() {
    std::sort(places_.begin(), places_.end(), [](const Place& a, const Place& b) { return a.begin < b.begin; });
    for (std::size_t i = 1; i < places_.size(); ++i) {
      if (places_[i].begin >= places_[i - 1].end) continue;
      return Corrupt("zip entries \"", Printable(entries_[places_[i - 1].entry].name), "\" and \"",
                     Printable(entries_[places_[i].entry].name), "\" overlap");
    }
    return Status();
  }

  Status CheckNames() const {
    std::vector<std::string_view> names;
    for (const ZipEntry& entry : entries_) names.push_back(entry.name);
    const auto twice = FindTwice(std::move(names));
    if (!twice) return Status();
    return Corrupt("zip entry \"", Printable(*twice), "\" appears twice");
  }

  const base::RegularFile& file_;
  Directory directory_;
  std::vector<ZipEntry> entries_;
  std::vector<Place> places_;
};

}  // namespace

Result<std::vector<ZipEntry>> ReadZipDirectory(const base::RegularFile& file) { return Reader(file).Run(); }

}  // namespace thimble::convert
