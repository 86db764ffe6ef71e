// The compiled form of a tokenizer: flat arrays and numbers, written by convert/ and used in place from the mapped
// file. A kind of tokenizer puts its tables together from these groups and its own.

#ifndef THIMBLE_TEXT_TABLES_H_
#define THIMBLE_TEXT_TABLES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/platform.h"
#include "thimble/status.h"

namespace thimble::text {

// How a character of normalised text takes part in splitting it into words.
enum class CharClass : std::uint8_t {
  kWord = 0,
  kSpace = 1,
  kPunctuation = 2,  // A word of its own.
  kSpaced = 3,       // Stands for a space, the character as kWord, and a space.
  kBreak = 4,        // Nothing, but marks on its two sides are not reordered.
};

// An entry of the normaliser says what becomes of a code point: itself with a class (the values of CharClass), or
inline constexpr std::uint16_t kEntryDrop = 5;         // nothing,
inline constexpr std::uint16_t kEntryHangul = 6;       // its two or three Jamo,
inline constexpr std::uint16_t kEntryReplacement = 8;  // or the replacement that starts at normalizer_pool[entry - 8].

// The normaliser finds the entry of a code point in three steps, because blocks of equal entries are stored once:
// entries[middle[blocks[c >> 12] * 64 + (c >> 6 & 63)] * 64 + (c & 63)].
inline constexpr std::uint32_t kNormalizerBlocks = 0x110000 >> 12;
inline constexpr std::uint32_t kNormalizerBlock = 64;

// An element of a replacement: bits 0-20 code point, 21-23 CharClass, 24-30 rank of its combining class (0 for a
// character that is not reordered), 31 set on the last element.
inline constexpr std::uint32_t kLastElement = std::uint32_t{1} << 31;
constexpr std::uint32_t PoolElement(std::uint32_t code_point, CharClass char_class, std::uint32_t rank) {
  return code_point | static_cast<std::uint32_t>(char_class) << 21 | rank << 24;
}

// One rank directory entry for this many bits, and one select entry for this many set bits.
inline constexpr std::uint32_t kRankBits = 128;
inline constexpr std::uint32_t kSelectOnes = 16;

// Limits of what is compiled and accepted.
inline constexpr std::uint32_t kMaxNodes = 1u << 26;
inline constexpr std::uint32_t kMaxWordChars = 1024;    // Bounds the word buffer.
inline constexpr std::uint32_t kMaxRun = 1024;          // Tokens that a stream gives at a time.
inline constexpr std::uint32_t kMaxPieceBytes = 65536;  // A vocabulary entry or added token.
inline constexpr std::uint32_t kMaxAddedTokens = 65536;
inline constexpr std::uint32_t kMaxAddedBytes = 1u << 24;
inline constexpr std::uint32_t kMaxSpecial = 16;  // Ids put before, and behind, a text.

// In added.ids: the token counts only where no word character stands beside it.
inline constexpr std::uint32_t kSingleWord = std::uint32_t{1} << 31;
// The token takes the white space before it, or behind it. Only in kinds for which spaces are more than ends of words.
inline constexpr std::uint32_t kStripsLeft = std::uint32_t{1} << 30;
inline constexpr std::uint32_t kStripsRight = std::uint32_t{1} << 29;
inline constexpr std::uint32_t kAddedFlags = kSingleWord | kStripsLeft | kStripsRight;
// Behind the last boundary of added.word_chars.
inline constexpr std::uint32_t kNoCodePoint = 0x110000;

template <typename T>
using TableSpan = std::span<const T>;

// A table by its name in the model file, "tokenizer." before it: an array is a tensor, a number is metadata in decimal.
struct Field {
  std::string_view name;
  std::variant<TableSpan<std::uint8_t>*, TableSpan<std::uint16_t>*, TableSpan<std::uint32_t>*,
               TableSpan<std::uint64_t>*, TableSpan<float>*, std::uint32_t*>
      value;
  bool optional = false;  // Absent from a file where it is empty, or 0.
};
using Fields = std::vector<Field>;

// Calls number(std::uint32_t&), or array(TableSpan<T>&), with what a field is.
template <typename Number, typename Array>
void VisitField(const Field& field, Number number, Array array) {
  std::visit(
      [&](auto* value) {
        if constexpr (std::is_same_v<decltype(value), std::uint32_t*>) {
          number(*value);
        } else {
          array(*value);
        }
      },
      field.value);
}

// Every array is padded to a positive multiple of 64 bytes, with zeros but for normalizer.pool (kLastElement) and
// added.word_chars (kNoCodePoint). Bit i of a bit vector is bit i % 64 of word i / 64. AddTo lists a group's tables in
// the order of the file.

// A vocabulary as a byte trie in level order without its root. The nodes below one node are siblings, consecutive and
// sorted by label; group 0 holds those below the root, group 1 + r those below the node with r nodes that have children
// before it. A node ends a token when it has no child or its bit in `terminal`, which has one bit for every node with
// children, is set; tokens are numbered in the order of their nodes.
struct TrieTables {
  TableSpan<std::uint8_t> labels;          // [nodes]
  TableSpan<std::uint64_t> children;       // Bit per node: has children.
  TableSpan<std::uint64_t> first;          // Bit per node: first of its siblings.
  TableSpan<std::uint64_t> terminal;       // Bit per node with children: ends a token.
  TableSpan<std::uint32_t> children_rank;  // Set bits of children before bit 128 i.
  TableSpan<std::uint32_t> terminal_rank;  // The same for terminal.
  TableSpan<std::uint32_t> first_select;   // Position of set bit 16 i of first.
  TableSpan<std::uint16_t> ids;            // [tokens] low 16 bits of the id.
  TableSpan<std::uint8_t> ids_high;        // [tokens] bits 16 to 23, where wide_ids.
  std::uint32_t nodes = 0;
  std::uint32_t wide_ids = 0;  // 1 when an id exceeds 65,535.

  void AddTo(Fields& fields);
};

// What the normaliser makes of each code point.
struct NormalizerTables {
  TableSpan<std::uint8_t> blocks;    // [272]
  TableSpan<std::uint16_t> middle;   // [blocks][64]
  TableSpan<std::uint16_t> entries;  // [blocks][64]
  TableSpan<std::uint32_t> pool;     // Replacements.

  void AddTo(Fields& fields);
};

// Tokens that are looked for in a text whole, before it is split into words.
struct AddedTables {
  TableSpan<std::uint8_t> text;         // One after the other, each of the two kinds sorted by bytes.
  TableSpan<std::uint32_t> begin;       // [count + 1] where each starts in `text`.
  TableSpan<std::uint32_t> ids;         // [count] the id, and its flags.
  TableSpan<std::uint32_t> word_chars;  // Where runs of word characters begin and end; empty without kSingleWord.
  std::uint32_t count = 0;
  std::uint32_t raw = 0;  // The first of them: matched before normalisation, the others behind it.

  std::uint32_t Id(std::size_t i) const { return ids[i] & ~kAddedFlags; }
  std::string_view Text(std::size_t i) const {
    return {reinterpret_cast<const char*>(text.data()) + begin[i], begin[i + 1] - begin[i]};
  }
  void AddTo(Fields& fields);
};

// What is put around a text, and which end of a long one is lost.
struct TemplateTables {
  TableSpan<std::uint32_t> prefix;  // [prefix_count] ids before every text.
  TableSpan<std::uint32_t> suffix;  // [suffix_count] ids behind every text.
  std::uint32_t prefix_count = 0;
  std::uint32_t suffix_count = 0;
  std::uint32_t truncate_left = 0;  // 1 when a text that is too long loses its first tokens, not its last.
  // Of a model that takes pairs, else empty: what stands between two texts, around which are prefix and suffix.
  TableSpan<std::uint32_t> middle = {};  // [middle_count]
  std::uint32_t middle_count = 0;
  std::uint32_t second_type = 0;  // 1 when the tokens behind `middle` have token type 1.

  void AddTo(Fields& fields);
};

// Checks of tables from a file before anything else uses them; all give kCorrupt, naming the table. The first four are
// of a group: Ok when nothing can lead outside it, into an endless loop, or to an id of `vocabulary` or more.
Status CheckTrie(const TrieTables& tables, std::size_t vocabulary);
Status CheckNormalizer(const NormalizerTables& tables);
Status CheckAdded(const AddedTables& tables, std::size_t vocabulary);
Status CheckTemplate(const TemplateTables& tables, std::size_t vocabulary);
Status CheckIds(std::string_view table, std::span<const std::uint32_t> ids, std::size_t vocabulary);
// Whether an array has the elements that it needs.
Status CheckLength(std::string_view table, std::size_t length, std::uint64_t need);
Status CheckAtMost(std::string_view number, std::uint32_t value, std::uint32_t limit);
Status CorruptTable(std::string_view table, std::string_view what);

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_TABLES_H_
