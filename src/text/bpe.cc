// The tables of BPE: their checks, and what is found in them.

#include "text/bpe.h"

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "text/byte_level.h"
#include "text/trie.h"
#include "text/utf8.h"

namespace thimble::text {
namespace {

Status CheckWide(std::string_view table, TableSpan<std::uint16_t> low, std::string_view table_high,
                 TableSpan<std::uint8_t> high, std::uint64_t need, bool wide) {
  THIMBLE_RETURN_IF_ERROR(CheckLength(table, low.size(), need));
  return wide ? CheckLength(table_high, high.size(), need) : Status();
}

}  // namespace

std::uint32_t Bpe::Join(std::uint32_t left, std::uint32_t right) const {
  const std::uint32_t last = (1u << slot_bits) - 1;
  for (std::uint32_t slot = SlotOfParts(left, right, slot_bits);; slot = (slot + 1) & last) {
    const std::uint32_t rule = Wide(slots, slots_high, slot);
    if (rule == 0) return kNoSymbol;
    if (Left(rule - 1) == left && Right(rule - 1) == right) return num_bytes + rule - 1;
  }
}

Status Bpe::Check(std::size_t vocabulary) {
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("bpe.wide", wide, 1));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("bpe.bytes_known", num_bytes, 256));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("bpe.symbols", symbols, kMaxSymbols - 1));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("bpe.rules", rules, symbols));
  if (num_bytes + rules > symbols) return CorruptTable("bpe.rules", "are more than there are symbols");
  THIMBLE_RETURN_IF_ERROR(CheckTrie(trie, symbols));
  THIMBLE_RETURN_IF_ERROR(CheckLength("bpe.bytes", bytes.size(), 256));
  for (std::uint16_t symbol : bytes.first(256)) {
    if (symbol != Bpe::kNoByte && symbol >= num_bytes) return CorruptTable("bpe.bytes", "has a symbol that is no byte");
  }
  THIMBLE_RETURN_IF_ERROR(CheckWide("bpe.ids", ids, "bpe.ids_high", ids_high, symbols, wide != 0));
  THIMBLE_RETURN_IF_ERROR(
      CheckWide("bpe.parts", parts, "bpe.parts_high", parts_high, 2 * std::uint64_t{rules}, wide != 0));
  std::uint32_t highest = 0;
  for (std::uint32_t i = 0; i < symbols; ++i) highest = std::max(highest, Id(i));
  THIMBLE_RETURN_IF_ERROR(CheckIds("bpe.ids", {&highest, symbols == 0 ? 0u : 1u}, vocabulary));

  std::vector<std::uint8_t> lengths(num_bytes + rules, 1);
  longest = 1;
  for (std::uint32_t i = 0; i < rules; ++i) {
    const std::uint32_t symbol = num_bytes + i;
    if (Left(i) >= symbol || Right(i) >= symbol) return CorruptTable("bpe.parts", "a rule joins what it makes");
    const std::uint32_t length = std::uint32_t{lengths[Left(i)]} + lengths[Right(i)];
    if (length > kMaxBytes) return CorruptTable("bpe.parts", "a symbol is too long");
    lengths[symbol] = static_cast<std::uint8_t>(length);
    longest = std::max(longest, length);
  }

  THIMBLE_RETURN_IF_ERROR(CheckAtMost("bpe.slot_bits", slot_bits, kMaxBits));
  if (slot_bits == 0) return CorruptTable("bpe.slot_bits", "is 0");
  const std::uint32_t num_slots = 1u << slot_bits;
  THIMBLE_RETURN_IF_ERROR(CheckWide("bpe.slots", slots, "bpe.slots_high", slots_high, num_slots, wide != 0));
  bool free = false;
  for (std::uint32_t i = 0; i < num_slots; ++i) {
    const std::uint32_t rule = Wide(slots, slots_high, i);
    if (rule > rules) return CorruptTable("bpe.slots", "points outside bpe.parts");
    free |= rule == 0;
  }
  if (!free) return CorruptTable("bpe.slots", "has no free place");

  THIMBLE_RETURN_IF_ERROR(CheckLength("bpe.class_blocks", class_blocks.size(), kNoCodePoint / kSplitBlock));
  for (std::uint8_t block : class_blocks.first(kNoCodePoint / kSplitBlock)) {
    if ((std::size_t{block} + 1) * (kSplitBlock / 4) > classes.size()) {
      return CorruptTable("bpe.class_blocks", "points outside bpe.classes");
    }
  }
  if (split != static_cast<std::uint32_t>(Split::kGpt2)) return CorruptTable("bpe.split", "is unknown");
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("bpe.prefix_space", prefix_space, 1));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("bpe.trims", trims, kTrimBehindPrefix));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("bpe.whole_words", whole_words, 1));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("bpe.joins_unknown", joins_unknown, 1));
  const std::uint32_t unknown_token = unknown - 1;
  return CheckIds("bpe.unknown", {&unknown_token, unknown == 0 ? 0u : 1u}, vocabulary);
}

void Bpe::FindEntries(std::unordered_map<std::uint32_t, std::string>& entries) const {
  std::unordered_map<std::uint32_t, std::string> found;
  for (std::uint32_t i = 0; i < symbols; ++i) {
    if (entries.contains(Id(i))) found.emplace(i, std::string());
  }
  Trie(trie).FindEntries(found);
  for (const auto& [symbol, entry] : found) {
    std::string& text = entries[Id(symbol)];
    text.clear();
    for (char byte : entry) {
      std::uint8_t utf8[4];
      const std::size_t length = EncodeUtf8(CharacterOfByte(static_cast<std::uint8_t>(byte)), utf8);
      text.append(reinterpret_cast<const char*>(utf8), length);
    }
  }
}

std::optional<std::uint32_t> Bpe::FindId(std::string_view entry) const {
  std::string entry_bytes;
  const auto* next = reinterpret_cast<const std::uint8_t*>(entry.data());
  for (const std::uint8_t* end = next + entry.size(); next != end;) {
    const std::optional<std::uint8_t> byte = ByteOfCharacter(DecodeUtf8(next, end));
    if (!byte) return std::nullopt;
    entry_bytes += static_cast<char>(*byte);
  }
  const std::optional<std::uint32_t> symbol = Trie(trie).Find(entry_bytes);
  if (!symbol) return std::nullopt;
  return Id(*symbol);
}

std::optional<std::uint32_t> Bpe::unknown_id() const {
  if (unknown != 0) return unknown - 1;
  return FindId("<unk>");
}

void Bpe::AddTo(Fields& fields) {
  trie.AddTo(fields);
  fields.insert(fields.end(), {{"bpe.bytes", &bytes},
                               {"bpe.ids", &ids},
                               {"bpe.ids_high", &ids_high},
                               {"bpe.parts", &parts},
                               {"bpe.parts_high", &parts_high},
                               {"bpe.slots", &slots},
                               {"bpe.slots_high", &slots_high},
                               {"bpe.class_blocks", &class_blocks},
                               {"bpe.classes", &classes},
                               {"bpe.bytes_known", &num_bytes},
                               {"bpe.rules", &rules},
                               {"bpe.symbols", &symbols},
                               {"bpe.wide", &wide},
                               {"bpe.slot_bits", &slot_bits},
                               {"bpe.split", &split},
                               {"bpe.prefix_space", &prefix_space},
                               {"bpe.trims", &trims},
                               {"bpe.whole_words", &whole_words},
                               {"bpe.unknown", &unknown},
                               {"bpe.joins_unknown", &joins_unknown}});
  added.AddTo(fields);
  around.AddTo(fields);
}

}  // namespace thimble::text
