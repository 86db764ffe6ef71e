// Reads the double-array trie of a charsmap: what it makes of each character, and its keys of several characters that
// are short enough to be looked up.

#include "convert/tokenizer_charsmap.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/error.h"
#include "text/tables.h"
#include "text/utf8.h"

namespace thimble::convert {
namespace {

using text::BreakClass;

struct BreakRange {
  std::uint32_t first;
  std::uint32_t last;
  BreakClass value;
};
#include "convert/grapheme_ranges.inc"

constexpr std::uint32_t kMappedCodePoints = 0x110000;

std::vector<BreakClass> BreakClasses() {
  constexpr std::uint32_t kSyllables = 0xAC00, kLastSyllable = 0xD7A3, kTrailings = 28;
  std::vector<BreakClass> classes(kMappedCodePoints, BreakClass::kAny);
  for (const BreakRange& range : kBreaks) {
    std::fill(&classes[range.first], &classes[range.last] + 1, range.value);
  }
  for (std::uint32_t c = kSyllables; c <= kLastSyllable; ++c) {
    classes[c] = (c - kSyllables) % kTrailings == 0 ? BreakClass::kOpenSyllable : BreakClass::kClosedSyllable;
  }
  return classes;
}

// A trie in which the child of a node by a byte has the node's place XOR that byte, as Darts has it.
class DoubleArray {
 public:
  explicit DoubleArray(std::span<const std::uint8_t> bytes) {
    for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) {
      units_.push_back(std::uint32_t{bytes[i]} | std::uint32_t{bytes[i + 1]} << 8 | std::uint32_t{bytes[i + 2]} << 16 |
                       std::uint32_t{bytes[i + 3]} << 24);
    }
  }

  bool empty() const { return units_.empty(); }
  std::size_t Root() const { return Offset(units_[0]); }

  // Moves `place` to the node below by `byte`; false where there is none. A key ends there when `value` is set.
  bool Step(std::size_t& place, std::uint8_t byte, std::optional<std::uint32_t>& value) const {
    const std::size_t child = place ^ byte;
    value.reset();
    if (child >= units_.size() || (units_[child] & 0x800000FF) != byte) return false;
    const std::uint32_t unit = units_[child];
    place = child ^ Offset(unit);
    if ((unit >> 8 & 1) != 0 && place < units_.size()) value = units_[place] & 0x7FFFFFFF;
    return true;
  }

 private:
  static std::size_t Offset(std::uint32_t unit) { return std::size_t{unit >> 10} << ((unit & 1u << 9) >> 6); }

  std::vector<std::uint32_t> units_;
};

class CharsmapCompiler {
 public:
  CharsmapCompiler(DoubleArray trie, std::string_view text) : trie_(std::move(trie)), text_(text) {}

  Result<text::CharsmapTables> Run(TableStore& store) {
    const std::vector<BreakClass> classes = BreakClasses();
    std::vector<std::uint32_t> entries(kMappedCodePoints);
    for (std::uint32_t c = 0; c < kMappedCodePoints; ++c) {
      std::uint8_t utf8[4];
      std::size_t place = trie_.Root();
      std::optional<std::uint32_t> value;
      const std::size_t bytes = text::EncodeUtf8(c, utf8);
      bool is_key = true;
      for (std::size_t i = 0; i < bytes && is_key && !value; ++i)
        is_key = utf8[i] != 0 && trie_.Step(place, utf8[i], value);
      if (value) {
        if (*value >= text_.size() || (text_[*value] & 0xC0) == 0x80) return Corrupt();
        entries[c] = 1 + *value;
      } else if (is_key && bytes < text::kMaxClusterBytes) {
        std::vector<std::uint8_t> key(utf8, utf8 + bytes);
        const std::size_t before = clusters_.size();
        THIMBLE_RETURN_IF_ERROR(AddLonger(place, key));
        if (clusters_.size() > before) entries[c] = text::kCharsmapLonger;
      }
      entries[c] |= static_cast<std::uint32_t>(classes[c]) << 24;
    }
    std::vector<std::uint32_t> entry_blocks;
    std::vector<std::uint16_t> leaves, middle, numbers;
    ShareBlocks<std::uint32_t>(entries, entry_blocks, leaves);
    ShareBlocks<std::uint16_t>(leaves, middle, numbers);
    if (std::any_of(numbers.begin(), numbers.end(), [](std::uint16_t block) { return block > 0xFF; })) {
      return Error(Code::kUnsupported, "has too many blocks");
    }
    std::sort(clusters_.begin(), clusters_.end());
    text::CharsmapTables tables;
    tables.keys = static_cast<std::uint32_t>(clusters_.size());
    tables.blocks = store.Keep(std::vector<std::uint8_t>(numbers.begin(), numbers.end()));
    tables.middle = store.Keep(std::move(middle));
    tables.entries = store.Keep(std::move(entry_blocks));
    tables.clusters = store.Keep(std::move(clusters_));
    std::vector<std::uint8_t> bytes(text_.begin(), text_.end());
    bytes.push_back(0);
    tables.text = store.Keep(std::move(bytes));
    return tables;
  }

 private:
  static Status Corrupt() { return Error(Code::kCorrupt, "has a replacement outside its text"); }

  // Adds the keys that begin with `key`, at whose node `place` is, and that no shorter one begins.
  Status AddLonger(std::size_t place, std::vector<std::uint8_t>& key) {
    if (key.size() == text::kMaxClusterBytes) return Status();
    for (std::uint32_t byte = 1; byte < 256; ++byte) {
      std::size_t below = place;
      std::optional<std::uint32_t> value;
      if (!trie_.Step(below, static_cast<std::uint8_t>(byte), value)) continue;
      if (++steps_ > kMaxSteps) return Error(Code::kUnsupported, "has too many keys");
      key.push_back(static_cast<std::uint8_t>(byte));
      if (value) {
        if (*value >= text_.size() || (text_[*value] & 0xC0) == 0x80) return Corrupt();
        std::uint64_t packed = *value;
        for (std::size_t i = 0; i < key.size(); ++i) packed |= std::uint64_t{key[i]} << (56 - 8 * i);
        clusters_.push_back(packed);
      } else {
        THIMBLE_RETURN_IF_ERROR(AddLonger(below, key));
      }
      key.pop_back();
    }
    return Status();
  }

  static constexpr std::size_t kMaxSteps = 1 << 21;  // Nodes that are looked at; a damaged trie has no end.

  DoubleArray trie_;
  std::string_view text_;
  std::vector<std::uint64_t> clusters_;
  std::size_t steps_ = 0;
};

bool IsAllUtf8(std::string_view text) {
  const std::uint8_t* next = reinterpret_cast<const std::uint8_t*>(text.data());
  const std::uint8_t* end = next + text.size();
  while (next != end) {
    const std::uint8_t* begin = next;
    if (text::DecodeUtf8(next, end) == text::kReplacementCharacter && (next - begin != 3 || *begin != 0xEF))
      return false;
  }
  return true;
}

}  // namespace

Result<text::CharsmapTables> CompileCharsmap(std::string_view charsmap, TableStore& store) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(charsmap.data());
  if (charsmap.size() < 4) return Error(Code::kCorrupt, "has no size");
  const std::size_t size =
      std::size_t{bytes[0]} | std::size_t{bytes[1]} << 8 | std::size_t{bytes[2]} << 16 | std::size_t{bytes[3]} << 24;
  const std::size_t used = size / 4 * 4;
  if (used > charsmap.size() - 4) return Error(Code::kCorrupt, "is shorter than it says");
  DoubleArray trie({bytes + 4, used});
  if (trie.empty()) return Error(Code::kCorrupt, "has no trie");
  const std::string_view text = charsmap.substr(4 + used);
  if (!IsAllUtf8(text)) return Error(Code::kCorrupt, "has replacements that are not UTF-8");
  if (text.size() >= text::kCharsmapOffset) return Error(Code::kUnsupported, "has more than 16 MB of replacements");
  return CharsmapCompiler(std::move(trie), text).Run(store);
}

}  // namespace thimble::convert
