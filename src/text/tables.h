// The compiled form of a tokenizer: flat arrays and numbers, written by convert/ and used in place from the mapped
// file.

#ifndef THIMBLE_TEXT_TABLES_H_
#define THIMBLE_TEXT_TABLES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/platform.h"

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
inline constexpr std::uint32_t kMaxPieceBytes = 65536;  // A vocabulary entry or added token.
inline constexpr std::uint32_t kMaxAddedTokens = 65536;
inline constexpr std::uint32_t kMaxAddedBytes = 1u << 24;
inline constexpr std::uint32_t kMaxSpecial = 16;  // Ids put before, and behind, a text.

// In added_ids: the token counts only where no word character stands beside it.
inline constexpr std::uint32_t kSingleWord = std::uint32_t{1} << 31;
// Behind the last boundary of added_word_chars.
inline constexpr std::uint32_t kNoCodePoint = 0x110000;

template <typename T>
using TableSpan = std::span<const T>;
template <typename T>
using TableVector = std::vector<T>;

// The vocabulary is a byte trie in level order without its root. The nodes below one node are siblings, consecutive and
// sorted by label; group 0 holds those below the root, group 1 + r those below the node with r nodes that have children
// before it. A node ends a token when it has no child or its bit in `trie_terminal`, which has one bit for every node
// with children, is set; tokens are numbered in the order of their nodes. Every array is padded to a positive multiple
// of 64 bytes, with zeros, but normalizer_pool with kLastElement and added_word_chars with kNoCodePoint. Bit i of a bit
// vector is bit i % 64 of word i / 64.
template <template <typename> typename Array>
struct BasicTables {
  Array<std::uint8_t> trie_labels;          // [nodes]
  Array<std::uint64_t> trie_children;       // Bit per node: has children.
  Array<std::uint64_t> trie_first;          // Bit per node: first of its siblings.
  Array<std::uint64_t> trie_terminal;       // Bit per node with children: ends a token.
  Array<std::uint32_t> trie_children_rank;  // Set bits of trie_children before bit 128 i.
  Array<std::uint32_t> trie_terminal_rank;  // The same for trie_terminal.
  Array<std::uint32_t> trie_first_select;   // Position of set bit 16 i of trie_first.
  Array<std::uint16_t> trie_ids;            // [tokens] low 16 bits of the id.
  Array<std::uint8_t> trie_ids_high;        // [tokens] bits 16 to 23, where wide_ids.
  Array<std::uint8_t> normalizer_blocks;    // [272]
  Array<std::uint16_t> normalizer_middle;   // [blocks][64]
  Array<std::uint16_t> normalizer_entries;  // [blocks][64]
  Array<std::uint32_t> normalizer_pool;     // Replacements.
  Array<std::uint8_t> added_text;           // Added tokens one after the other, each of the two kinds sorted by bytes.
  Array<std::uint32_t> added_begin;         // [added + 1] where each starts in added_text.
  Array<std::uint32_t> added_ids;           // [added] the id, and kSingleWord.
  Array<std::uint32_t> added_word_chars;    // Where runs of word characters begin and end; empty without kSingleWord.
  Array<std::uint8_t> continuation;         // [continuation_bytes] prefix of a piece that does not start a word.
  Array<std::uint32_t> prefix;              // [prefix_count] ids before every text.
  Array<std::uint32_t> suffix;              // [suffix_count] ids behind every text.

  std::uint32_t nodes = 0;
  std::uint32_t wide_ids = 0;        // 1 when an id exceeds 65,535.
  std::uint32_t unknown_id = 0;      // For a word that has no pieces.
  std::uint32_t max_word_chars = 0;  // A longer word is unknown.
  std::uint32_t continuation_bytes = 0;
  std::uint32_t added = 0;      // Tokens matched in the text whole.
  std::uint32_t added_raw = 0;  // The first of them: matched before normalisation, the others behind it.
  std::uint32_t prefix_count = 0;
  std::uint32_t suffix_count = 0;
  std::uint32_t truncate_left = 0;  // 1 when a text that is too long loses its first tokens, not its last.
};

// Views into a mapped file, or into an OwnedTables.
using Tables = BasicTables<TableSpan>;
using OwnedTables = BasicTables<TableVector>;

// Calls f(name, array) for every array. The model file's tensors are named "tokenizer." and this name.
template <typename T, typename F>
void ForEachArray(T& tables, F f) {
  f("trie.labels", tables.trie_labels);
  f("trie.children", tables.trie_children);
  f("trie.first", tables.trie_first);
  f("trie.terminal", tables.trie_terminal);
  f("trie.children_rank", tables.trie_children_rank);
  f("trie.terminal_rank", tables.trie_terminal_rank);
  f("trie.first_select", tables.trie_first_select);
  f("trie.ids", tables.trie_ids);
  f("trie.ids_high", tables.trie_ids_high);
  f("normalizer.blocks", tables.normalizer_blocks);
  f("normalizer.middle", tables.normalizer_middle);
  f("normalizer.entries", tables.normalizer_entries);
  f("normalizer.pool", tables.normalizer_pool);
  f("added.text", tables.added_text);
  f("added.begin", tables.added_begin);
  f("added.ids", tables.added_ids);
  f("continuation", tables.continuation);
  f("prefix", tables.prefix);
  f("suffix", tables.suffix);
}

// The same for arrays that a file without their feature does not have.
template <typename T, typename F>
void ForEachOptionalArray(T& tables, F f) {
  f("added.word_chars", tables.added_word_chars);
}

// Calls f(name, std::uint32_t) for every number, which the model file's metadata holds in decimal under "tokenizer."
// and this name.
template <typename T, typename F>
void ForEachScalar(T& tables, F f) {
  f("nodes", tables.nodes);
  f("wide_ids", tables.wide_ids);
  f("unknown_id", tables.unknown_id);
  f("max_word_chars", tables.max_word_chars);
  f("continuation_bytes", tables.continuation_bytes);
  f("added", tables.added);
  f("added_raw", tables.added_raw);
  f("prefix_count", tables.prefix_count);
  f("suffix_count", tables.suffix_count);
}

// The same for numbers that are absent from a file where they are 0.
template <typename T, typename F>
void ForEachOptionalScalar(T& tables, F f) {
  f("truncate_left", tables.truncate_left);
}

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_TABLES_H_
