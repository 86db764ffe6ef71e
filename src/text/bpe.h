// Byte-level BPE: the bytes of a word are joined by the rules of a list, those that were learned first before others,
// as GPT-2 and RoBERTa have it.

#ifndef THIMBLE_TEXT_BPE_H_
#define THIMBLE_TEXT_BPE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "text/kind.h"

namespace thimble::text {

// How a text is split into words.
enum class Split : std::uint32_t {
  kGpt2 = 1,  // A contraction, or a run of letters, numbers or others with a space before it, or white space.
};

// What GPT-2's split takes a character for, two bits in `classes`.
enum class SplitClass : std::uint8_t { kOther = 0, kLetter = 1, kNumber = 2, kSpace = 3 };

// `classes` has blocks of so many characters.
inline constexpr std::uint32_t kSplitBlock = 256;

// A symbol is a byte of the vocabulary, the result of a rule, or another entry, numbered in this order; rules in the
// order in which they apply. Every result is an entry of its own, that the rules make of its bytes.
struct Bpe final : Kind {
  static constexpr std::string_view kName = "BPE";
  static constexpr std::uint32_t kNoSymbol = 0xFFFFFF;
  static constexpr std::uint16_t kNoByte = 0xFFFF;  // In `bytes`.
  static constexpr std::uint32_t kMaxSymbols = 1u << 24;
  static constexpr std::uint32_t kMaxBytes = 255;  // Of a symbol that words are made of.
  static constexpr std::uint32_t kMaxBits = 24;
  // Values of `trims`: none, all, all but before the first token.
  static constexpr std::uint32_t kKeepSpaces = 0, kTrimSpaces = 1, kTrimBehindPrefix = 2;

  std::string_view name() const override { return kName; }
  Status Check(std::size_t vocabulary) override;
  TokenStream* Start(const TextReader& text, TokenRanges* ranges, StreamMemory& memory) const override;
  void FindEntries(std::unordered_map<std::uint32_t, std::string>& entries) const override;
  std::optional<std::uint32_t> FindId(std::string_view entry) const override;
  std::optional<std::uint32_t> unknown_id() const override;
  Joining joining() const override { return Joining::kByteLevel; }

  std::uint32_t Id(std::uint32_t symbol) const { return Wide(ids, ids_high, symbol); }
  // The two symbols that a rule joins.
  std::uint32_t Left(std::uint32_t rule) const { return Wide(parts, parts_high, 2 * rule); }
  std::uint32_t Right(std::uint32_t rule) const { return Wide(parts, parts_high, 2 * rule + 1); }
  // The symbol that two are joined to; kNoSymbol where no rule does.
  std::uint32_t Join(std::uint32_t left, std::uint32_t right) const;
  SplitClass ClassOf(std::uint32_t code_point) const {
    const std::uint32_t at =
        std::uint32_t{class_blocks[code_point / kSplitBlock]} * kSplitBlock + code_point % kSplitBlock;
    return static_cast<SplitClass>(classes[at / 4] >> at % 4 * 2 & 3);
  }

  TrieTables trie;                     // The bytes of entries, with their symbols for ids.
  TableSpan<std::uint16_t> bytes;      // [256] symbol of each byte, 0xFFFF for none.
  TableSpan<std::uint16_t> ids;        // [symbols] low 16 bits of the id.
  TableSpan<std::uint8_t> ids_high;    // [symbols] bits 16 to 23, where wide.
  TableSpan<std::uint16_t> parts;      // [2 rules] the left and the right symbol of each, low 16 bits.
  TableSpan<std::uint8_t> parts_high;  // The same, bits 16 to 23, where wide.
  // [1 << slot_bits] 1 and the number of a rule, or 0, in the first free place from the hash of its parts on.
  TableSpan<std::uint16_t> slots;
  TableSpan<std::uint8_t> slots_high;
  TableSpan<std::uint8_t> class_blocks;  // [0x110000 / 256] block of each 256 characters.
  TableSpan<std::uint8_t> classes;       // [blocks][64] SplitClass of four characters, from the low bits.
  std::uint32_t num_bytes = 0;           // Bytes that are entries.
  std::uint32_t rules = 0;
  std::uint32_t symbols = 0;
  std::uint32_t wide = 0;  // 1 when there are more than 65,535 symbols or ids.
  std::uint32_t slot_bits = 0;
  std::uint32_t split = 0;          // Split.
  std::uint32_t prefix_space = 0;   // 1 when a text that does not begin with a space gets one.
  std::uint32_t trims = 0;          // Which spaces the place of a token is without, as below.
  std::uint32_t whole_words = 0;    // 1 when a word that is an entry is that token, whatever the rules say.
  std::uint32_t unknown = 0;        // 1 and the id of a byte that is no entry; 0 when such bytes are left out.
  std::uint32_t joins_unknown = 0;  // 1 when unknown bytes beside each other are one token.

  // Made by Check: the bytes of the longest symbol of a byte or a rule.
  std::uint32_t longest = 0;

 private:
  std::uint32_t Wide(TableSpan<std::uint16_t> low, TableSpan<std::uint8_t> high, std::uint32_t i) const {
    std::uint32_t value = low[i];
    if (wide != 0) value |= std::uint32_t{high[i]} << 16;
    return value;
  }
  void AddTo(Fields& fields) override;
};

// The first place of a rule in `slots`; convert/ fills them by it.
constexpr std::uint32_t SlotOfParts(std::uint32_t left, std::uint32_t right, std::uint32_t bits) {
  const std::uint32_t hash = (left * 0x9E3779B1u + right) * 0x85EBCA77u;
  return (hash ^ hash >> 15) * 0xC2B2AE3Du >> (32 - bits);
}

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_BPE_H_
