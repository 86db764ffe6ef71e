// The checks of CheckTables, one function for each part of the tables.

#include "text/check_tables.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/error.h"
#include "text/trie.h"

namespace thimble::text {
namespace {

Status Corrupt(std::string_view table, std::string_view what) {
  return Error(Code::kCorrupt, "tokenizer.", table, ": ", what);
}

Status CheckLength(std::string_view table, std::size_t length, std::uint64_t need) {
  if (length >= need) return Status();
  return Error(Code::kCorrupt, "tokenizer.", table, ": needs ", need, " elements, has ", length);
}

Status CheckAtMost(std::string_view number, std::uint32_t value, std::uint32_t limit) {
  if (value <= limit) return Status();
  return Error(Code::kCorrupt, "tokenizer.", number, ": at most ", limit, " is allowed, found ", value);
}

template <typename T>
Status CheckIds(std::string_view table, std::span<const T> ids, std::size_t vocabulary) {
  T highest = 0;
  for (T id : ids) highest = std::max(highest, id);
  if (ids.empty() || highest < vocabulary) return Status();
  return Error(Code::kCorrupt, "tokenizer.", table, ": id ", highest, ", vocabulary has ", vocabulary);
}

// Counts the bits of a vector of `length` bits, checks that none is set behind it, and that the rank directory (unless
// empty) is right for every position up to and including `last`.
Status CheckBits(std::string_view table, std::span<const std::uint64_t> bits, std::uint32_t length,
                 std::string_view directory_table, std::span<const std::uint32_t> directory, std::uint32_t last,
                 std::uint32_t& ones) {
  THIMBLE_RETURN_IF_ERROR(CheckLength(table, bits.size(), (std::uint64_t{length} + 63) / 64));
  const bool has_directory = !directory_table.empty();
  if (has_directory) {
    THIMBLE_RETURN_IF_ERROR(CheckLength(directory_table, directory.size(), std::uint64_t{last} / kRankBits + 1));
  }
  const std::uint32_t words = (length + 63) / 64;
  if (length % 64 != 0 && bits[words - 1] >> length % 64 != 0) return Corrupt(table, "bits behind the end");
  ones = 0;
  for (std::uint32_t word = 0; word <= std::max(words, last / 64); ++word) {
    if (has_directory && word % (kRankBits / 64) == 0 && word / (kRankBits / 64) <= last / kRankBits &&
        directory[word / (kRankBits / 64)] != ones) {
      return Corrupt(directory_table, "does not count the bits");
    }
    if (word < words) ones += CountOnes(bits[word]);
  }
  return Status();
}

Status CheckTrie(const Tables& tables, std::size_t vocabulary) {
  const std::uint32_t nodes = tables.nodes;
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("nodes", nodes, kMaxNodes));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("wide_ids", tables.wide_ids, 1));
  if (nodes == 0) return Corrupt("nodes", "the vocabulary is empty");
  THIMBLE_RETURN_IF_ERROR(CheckLength("trie.labels", tables.trie_labels.size(), nodes));

  std::uint32_t inner, groups, inner_ends;
  THIMBLE_RETURN_IF_ERROR(CheckBits("trie.children", tables.trie_children, nodes, "trie.children_rank",
                                    tables.trie_children_rank, nodes - 1, inner));
  THIMBLE_RETURN_IF_ERROR(CheckBits("trie.first", tables.trie_first, nodes, "", {}, nodes - 1, groups));
  if (!Bit(tables.trie_first, 0) || groups != inner + 1) {
    return Corrupt("trie.first", "does not match trie.children");
  }
  THIMBLE_RETURN_IF_ERROR(CheckBits("trie.terminal", tables.trie_terminal, inner, "trie.terminal_rank",
                                    tables.trie_terminal_rank, inner, inner_ends));

  THIMBLE_RETURN_IF_ERROR(
      CheckLength("trie.first_select", tables.trie_first_select.size(), (std::uint64_t{groups} - 1) / kSelectOnes + 1));
  std::uint32_t seen = 0;
  for (std::uint32_t word = 0; word <= (nodes - 1) / 64; ++word) {
    std::uint64_t bits = tables.trie_first[word];
    const std::uint32_t ones = CountOnes(bits);
    // Which bit of this word is the next one to have an entry; at most four have one.
    for (std::uint32_t skip = (kSelectOnes - seen % kSelectOnes) % kSelectOnes, at = 0; skip < ones;
         skip += kSelectOnes) {
      for (; at < skip; ++at) bits &= bits - 1;
      if (tables.trie_first_select[(seen + skip) / kSelectOnes] !=
          word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits))) {
        return Corrupt("trie.first_select", "does not point at the bits");
      }
    }
    seen += ones;
  }

  const std::uint32_t tokens = nodes - inner + inner_ends;
  THIMBLE_RETURN_IF_ERROR(CheckLength("trie.ids", tables.trie_ids.size(), tokens));
  if (tables.wide_ids == 0) return CheckIds("trie.ids", tables.trie_ids.first(tokens), vocabulary);
  THIMBLE_RETURN_IF_ERROR(CheckLength("trie.ids_high", tables.trie_ids_high.size(), tokens));
  std::uint32_t highest = 0;
  for (std::uint32_t i = 0; i < tokens; ++i) {
    highest = std::max(highest, std::uint32_t{tables.trie_ids_high[i]} << 16 | tables.trie_ids[i]);
  }
  return CheckIds("trie.ids", std::span<const std::uint32_t>(&highest, 1), vocabulary);
}

Status CheckNormalizer(const Tables& tables) {
  THIMBLE_RETURN_IF_ERROR(CheckLength("normalizer.blocks", tables.normalizer_blocks.size(), kNormalizerBlocks));
  const std::size_t middle_blocks = tables.normalizer_middle.size() / kNormalizerBlock;
  for (std::uint8_t block : tables.normalizer_blocks.first(kNormalizerBlocks)) {
    if (block >= middle_blocks) return Corrupt("normalizer.blocks", "points outside normalizer.middle");
  }
  const std::size_t entry_blocks = tables.normalizer_entries.size() / kNormalizerBlock;
  for (std::uint16_t block : tables.normalizer_middle) {
    if (block >= entry_blocks) return Corrupt("normalizer.middle", "points outside normalizer.entries");
  }
  std::uint32_t highest = 0;
  for (std::uint16_t entry : tables.normalizer_entries) {
    highest = std::max(highest, std::uint32_t{entry});
    if (entry == kEntryReplacement - 1) return Corrupt("normalizer.entries", "unknown kind of entry");
  }
  if (highest >= kEntryReplacement + tables.normalizer_pool.size()) {
    return Corrupt("normalizer.entries", "points outside normalizer.pool");
  }
  std::uint32_t element = 0;
  for (std::uint32_t next : tables.normalizer_pool) {
    element = next;
    if ((element & 0x1FFFFF) > 0x10FFFF || (element >> 21 & 7) > static_cast<std::uint32_t>(CharClass::kBreak)) {
      return Corrupt("normalizer.pool", "not a character");
    }
  }
  if (!tables.normalizer_pool.empty() && (element & kLastElement) == 0) {
    return Corrupt("normalizer.pool", "the last replacement has no end");
  }
  return Status();
}

Status CheckAdded(const Tables& tables, std::size_t vocabulary) {
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("added", tables.added, kMaxAddedTokens));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("added_raw", tables.added_raw, tables.added));
  THIMBLE_RETURN_IF_ERROR(CheckLength("added.begin", tables.added_begin.size(), std::uint64_t{tables.added} + 1));
  THIMBLE_RETURN_IF_ERROR(CheckLength("added.ids", tables.added_ids.size(), tables.added));
  for (std::uint32_t i = 0; i < tables.added; ++i) {
    if (tables.added_begin[i] >= tables.added_begin[i + 1]) return Corrupt("added.begin", "does not grow");
  }
  THIMBLE_RETURN_IF_ERROR(CheckLength("added.text", tables.added_text.size(), tables.added_begin[tables.added]));
  std::uint32_t highest = 0;
  bool single_words = false;
  for (std::uint32_t id : tables.added_ids.first(tables.added)) {
    highest = std::max(highest, id & ~kSingleWord);
    single_words |= (id & kSingleWord) != 0;
  }
  if (single_words && tables.added_word_chars.empty()) return Corrupt("added.word_chars", "is missing");
  if (!std::is_sorted(tables.added_word_chars.begin(), tables.added_word_chars.end())) {
    return Corrupt("added.word_chars", "is not sorted");
  }
  return CheckIds("added.ids", std::span<const std::uint32_t>(&highest, tables.added == 0 ? 0 : 1), vocabulary);
}

Status CheckTemplate(const Tables& tables, std::size_t vocabulary) {
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("prefix_count", tables.prefix_count, kMaxSpecial));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("suffix_count", tables.suffix_count, kMaxSpecial));
  THIMBLE_RETURN_IF_ERROR(CheckLength("prefix", tables.prefix.size(), tables.prefix_count));
  THIMBLE_RETURN_IF_ERROR(CheckLength("suffix", tables.suffix.size(), tables.suffix_count));
  THIMBLE_RETURN_IF_ERROR(CheckIds("prefix", tables.prefix.first(tables.prefix_count), vocabulary));
  return CheckIds("suffix", tables.suffix.first(tables.suffix_count), vocabulary);
}

}  // namespace

Status CheckTables(const Tables& tables, std::size_t vocabulary) {
  THIMBLE_RETURN_IF_ERROR(CheckTrie(tables, vocabulary));
  THIMBLE_RETURN_IF_ERROR(CheckNormalizer(tables));
  THIMBLE_RETURN_IF_ERROR(CheckAdded(tables, vocabulary));
  THIMBLE_RETURN_IF_ERROR(CheckTemplate(tables, vocabulary));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("truncate_left", tables.truncate_left, 1));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("continuation_bytes", tables.continuation_bytes, kMaxPieceBytes));
  THIMBLE_RETURN_IF_ERROR(CheckLength("continuation", tables.continuation.size(), tables.continuation_bytes));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("max_word_chars", tables.max_word_chars, kMaxWordChars));
  if (tables.max_word_chars == 0) return Corrupt("max_word_chars", "is 0");
  return CheckIds("unknown_id", std::span<const std::uint32_t>(&tables.unknown_id, 1), vocabulary);
}

}  // namespace thimble::text
