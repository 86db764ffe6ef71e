// A hash table with open addressing in a file. The system keeps in memory what it has room for.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/sha256.h"
#include "bulk/seen.h"

namespace thimble::bulk {
namespace {

constexpr std::uint64_t kFirstSlots = 1 << 12;
constexpr std::size_t kPieceSlots = 1024;

}  // namespace

TextKey KeyOf(std::string_view text, bool cut) {
  base::Sha256 hash;
  hash.Update(text);
  hash.Update(cut ? "+" : ".");
  const auto digest = hash.Digest();
  TextKey key = {};
  for (std::size_t i = 0; i < sizeof key; ++i) key[i / 8] = key[i / 8] << 8 | std::to_integer<std::uint64_t>(digest[i]);
  return key;
}

Result<SeenIndex> SeenIndex::Create(const std::string& path) { return Create(path, kFirstSlots); }

Result<SeenIndex> SeenIndex::Create(const std::string& path, std::uint64_t slots) {
  std::string name = path + ".XXXXXX";
  const int file = mkstemp(name.data());
  if (file < 0) return SystemError(errno, "cannot create a temporary file beside", path);
  unlink(name.c_str());
  fcntl(file, F_SETFD, FD_CLOEXEC);
  SeenIndex index(path, file, slots);
  if (ftruncate(file, static_cast<off_t>(slots * sizeof(Slot))) != 0) {
    return SystemError(errno, "cannot extend a temporary file beside", path);
  }
  return index;
}

Result<std::uint64_t> SeenIndex::Place(const TextKey& key, Slot& slot) const {
  for (std::uint64_t at = key[0] & (slots_ - 1);; at = (at + 1) & (slots_ - 1)) {
    THIMBLE_RETURN_IF_ERROR(
        base::ReadAllAt(file_.get(), at * sizeof slot, std::as_writable_bytes(std::span(&slot, 1)), path_));
    if (slot.number == 0 || slot.key == key) return at;
  }
}

Result<std::optional<std::uint64_t>> SeenIndex::FindOrAdd(const TextKey& key) {
  if (2 * (size_ + 1) > slots_) THIMBLE_RETURN_IF_ERROR(Grow());
  Slot slot;
  THIMBLE_ASSIGN_OR_RETURN(const std::uint64_t at, Place(key, slot));
  if (slot.number != 0) return std::optional(slot.number - 1);
  slot = {key, ++size_};
  THIMBLE_RETURN_IF_ERROR(base::WriteAllAt(file_.get(), at * sizeof slot, std::as_bytes(std::span(&slot, 1)), path_));
  return std::optional<std::uint64_t>();
}

Status SeenIndex::Grow() {
  THIMBLE_ASSIGN_OR_RETURN(SeenIndex larger, Create(path_, 2 * slots_));
  std::vector<Slot> piece(kPieceSlots);
  static_assert(kFirstSlots % kPieceSlots == 0);
  for (std::uint64_t begin = 0; begin < slots_; begin += piece.size()) {
    THIMBLE_RETURN_IF_ERROR(
        base::ReadAllAt(file_.get(), begin * sizeof(Slot), std::as_writable_bytes(std::span(piece)), path_));
    for (const Slot& slot : piece) {
      if (slot.number == 0) continue;
      Slot free;
      THIMBLE_ASSIGN_OR_RETURN(const std::uint64_t at, larger.Place(slot.key, free));
      THIMBLE_RETURN_IF_ERROR(
          base::WriteAllAt(larger.file_.get(), at * sizeof slot, std::as_bytes(std::span(&slot, 1)), path_));
    }
  }
  larger.size_ = size_;
  *this = std::move(larger);
  return Status();
}

}  // namespace thimble::bulk
