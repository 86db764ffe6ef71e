// Sets of slots. A slot has the vector of one key behind a header; a key has the slots of one set.

#include "cache/table.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "base/checked.h"
#include "base/error.h"
#include "base/file_lock.h"
#include "base/sha256.h"

namespace thimble::cache {
namespace {

using Checksum = std::array<std::byte, 16>;

constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kLine = 64;
// The first set begins with a page.
constexpr std::uint64_t kDataBegin = 4096;
// Enough that few keys find the best places of their set taken, few enough that a miss costs microseconds.
constexpr std::size_t kWays = 8;

// What a file begins with.
struct FileHeader {
  std::array<char, 16> magic;
  std::uint32_t version;
  std::uint32_t ways;
  std::uint64_t bytes;  // Of the whole file.
  std::array<std::byte, 16> zeros;
  Checksum checksum;  // Of what is before it.
};
static_assert(sizeof(FileHeader) == kLine);
constexpr std::array<char, 16> kMagic = {'t', 'h', 'i', 'm', 'b', 'l', 'e', ' ', 'c', 'a', 'c', 'h', 'e', '\r', '\n'};

// What a slot begins with.
struct SlotHeader {
  Key key;
  Checksum checksum;   // Of key and vector.
  std::uint64_t mark;  // kMark plus the bytes of the slot. Anything else is no record of vectors of this length.
  std::uint32_t used;  // Whether the vector was read since it was written, or since its turn to go last came.
  std::uint32_t zeros;
};
static_assert(sizeof(SlotHeader) == kLine);
constexpr std::uint64_t kMark = 0x9e3779b97f4a7c15;
constexpr std::uint64_t kUsedAt = offsetof(SlotHeader, used);

template <typename Value>
std::span<std::byte> BytesOf(Value& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

Checksum FirstHalf(base::Sha256& hash) {
  const auto digest = hash.Digest();
  Checksum checksum;
  std::copy_n(digest.begin(), checksum.size(), checksum.begin());
  return checksum;
}

Checksum ChecksumOf(const FileHeader& header) {
  base::Sha256 hash;
  hash.Update(std::as_bytes(std::span(&header, 1)).first(offsetof(FileHeader, checksum)));
  return FirstHalf(hash);
}

Checksum ChecksumOf(const Key& key, std::span<const float> vector) {
  base::Sha256 hash;
  hash.Update(key);
  hash.Update(std::as_bytes(vector));
  return FirstHalf(hash);
}

FileHeader HeaderOf(std::uint64_t bytes) {
  FileHeader header = {
      .magic = kMagic, .version = kVersion, .ways = kWays, .bytes = bytes, .zeros = {}, .checksum = {}};
  header.checksum = ChecksumOf(header);
  return header;
}

std::uint64_t Number(const Key& key, std::size_t at) {
  std::uint64_t number;
  std::memcpy(&number, key.data() + at, sizeof number);
  return number;
}

Status CheckHeader(const FileHeader& header, const std::string& path) {
  if (header.magic != kMagic) {
    return Error(Code::kInvalidArgument, path, ": not a cache of thimble; name another file, or one that is not there");
  }
  if (header.version != kVersion) {
    return Error(Code::kUnsupported, path, ": a cache of format ", header.version, ", expected ", kVersion,
                 "; name another file, or delete this one");
  }
  if (header.checksum != ChecksumOf(header) || header.ways != kWays || header.bytes < ExactCache::kLeastBytes) {
    return Error(Code::kCorrupt, path, ": the header of the cache is damaged; delete the file");
  }
  return Status();
}

// Writes the header of a new file of `bytes`, unless another process did. Shorter files than their headers say need not
// be made longer at the same time: their end reads as missing.
Status Make(base::SharedFile& file, std::uint64_t bytes) {
  THIMBLE_ASSIGN_OR_RETURN(const base::FileLock lock,
                           base::FileLock::Acquire(file.path() + ".lock", [] { return true; }));
  THIMBLE_ASSIGN_OR_RETURN(const std::uint64_t size, file.Size());
  if (size != 0) return Status();
  FileHeader header = HeaderOf(bytes);
  if (!file.WriteAt(0, BytesOf(header))) {
    return Error(Code::kIo, "cannot write ", file.path(), "; the disk may be full");
  }
  return Status();
}

}  // namespace

Result<std::unique_ptr<Table>> Table::Open(const std::string& path, std::uint64_t max_bytes) {
  if (max_bytes != 0 && max_bytes < ExactCache::kLeastBytes) {
    return Error(Code::kInvalidArgument, "`cache_size`: expected at least ", ExactCache::kLeastBytes, " bytes, found ",
                 max_bytes);
  }
  if (path.empty()) return Error(Code::kInvalidArgument, "`cache`: the name of the file is empty");
  THIMBLE_ASSIGN_OR_RETURN(base::SharedFile file, base::SharedFile::Open(path, true));
  THIMBLE_ASSIGN_OR_RETURN(std::uint64_t size, file.Size());
  if (size == 0 && file.writable()) {
    const std::uint64_t wanted = max_bytes != 0 ? max_bytes : ExactCache::kDefaultBytes;
    THIMBLE_RETURN_IF_ERROR(Make(file, wanted));
    THIMBLE_ASSIGN_OR_RETURN(size, file.Size());
  }
  FileHeader header = {};
  if (!file.ReadAt(0, BytesOf(header).first(std::min<std::size_t>(size, sizeof header)))) {
    return Error(Code::kIo, "cannot read ", path);
  }
  THIMBLE_RETURN_IF_ERROR(CheckHeader(header, path));
  if (size > header.bytes) {
    return Error(Code::kCorrupt, path, ": has ", size, " bytes, but its header says ", header.bytes,
                 "; delete the file");
  }
  if (max_bytes != 0 && max_bytes != header.bytes) {
    return Error(Code::kInvalidArgument, "`cache_size`: ", path, " was made for ", header.bytes, " bytes, found ",
                 max_bytes, "; leave `cache_size` out, or delete the file");
  }
  if (file.writable()) {
    // A write beyond the limit would end the process.
    if (!base::SharedFile::AllowsSize(header.bytes)) {
      return Error(Code::kIo, path, ": its ", header.bytes, " bytes are more than this process may give a file ",
                   "(ulimit -f); set `cache_size` to less for a new file");
    }
    if (size < header.bytes) THIMBLE_RETURN_IF_ERROR(file.Grow(header.bytes));
  }
  return std::make_unique<Table>(std::move(file), header.bytes);
}

std::optional<Table::Set> Table::SetOf(const Key& key, std::size_t dimensions) const {
  const std::uint64_t slot = base::RoundUp(sizeof(SlotHeader) + dimensions * sizeof(float), kLine);
  const std::uint64_t sets = (max_bytes_ - kDataBegin) / (kWays * slot);
  if (sets == 0) return std::nullopt;
  return Set{kDataBegin + Number(key, 0) % sets * kWays * slot, slot};
}

bool Table::Get(const Key& key, std::span<float> vector) {
  if (const std::optional<Set> set = SetOf(key, vector.size())) {
    for (std::size_t way = 0; way < kWays; ++way) {
      const std::uint64_t place = set->begin + way * set->slot;
      SlotHeader header;
      if (!file_.ReadAt(place, BytesOf(header))) break;
      if (header.mark != kMark + set->slot || header.key != key) continue;
      if (!file_.ReadAt(place + sizeof header, std::as_writable_bytes(vector))) break;
      if (header.checksum != ChecksumOf(key, vector)) continue;
      if (header.used == 0 && file_.writable()) {
        header.used = 1;
        (void)file_.WriteAt(place + kUsedAt, BytesOf(header.used));
      }
      hits_.fetch_add(1, std::memory_order_relaxed);
      return true;
    }
  }
  misses_.fetch_add(1, std::memory_order_relaxed);
  return false;
}

std::uint64_t Table::ChoosePlace(const Set& set, const Key& key) const {
  std::array<bool, kWays> used;
  std::optional<std::uint64_t> free;
  for (std::size_t way = 0; way < kWays; ++way) {
    const std::uint64_t place = set.begin + way * set.slot;
    SlotHeader header;
    const bool taken = file_.ReadAt(place, BytesOf(header)) && header.mark == kMark + set.slot;
    if (taken && header.key == key) return place;
    if (!taken && !free) free = place;
    used[way] = taken && header.used != 0;
  }
  if (free) return *free;
  // The clock: from a hand that is anywhere, the first that was not used goes, and those before it have had their turn.
  const std::size_t hand = Number(key, 8) % kWays;
  for (std::size_t step = 0; step < kWays; ++step) {
    const std::size_t way = (hand + step) % kWays;
    if (!used[way]) return set.begin + way * set.slot;
    std::uint32_t unused = 0;
    (void)file_.WriteAt(set.begin + way * set.slot + kUsedAt, BytesOf(unused));
  }
  return set.begin + hand * set.slot;
}

void Table::Put(const Key& key, std::span<const float> vector) {
  if (!file_.writable()) return;
  const std::optional<Set> set = SetOf(key, vector.size());
  if (!set) return;
  SlotHeader header = {
      .key = key, .checksum = ChecksumOf(key, vector), .mark = kMark + set->slot, .used = 0, .zeros = 0};
  const std::uint64_t place = ChoosePlace(*set, key);
  if (file_.WriteAt(place + sizeof header, std::as_bytes(vector)) && file_.WriteAt(place, BytesOf(header))) {
    writes_.fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace thimble::cache
