// The names of tables in the model file, and checks of them, one function for each group.

#include "text/tables.h"

#include <algorithm>
#include <bit>

#include "base/error.h"
#include "text/kind.h"
#include "text/trie.h"

namespace thimble::text {

Fields Kind::ListFields() {
  Fields fields;
  AddTo(fields);
  // What not every file has is behind what every file has.
  std::stable_partition(fields.begin(), fields.end(), [](const Field& field) { return !field.optional; });
  return fields;
}

void TrieTables::AddTo(Fields& fields) {
  fields.insert(fields.end(), {{"trie.labels", &labels},
                               {"trie.children", &children},
                               {"trie.first", &first},
                               {"trie.terminal", &terminal},
                               {"trie.children_rank", &children_rank},
                               {"trie.terminal_rank", &terminal_rank},
                               {"trie.first_select", &first_select},
                               {"trie.ids", &ids},
                               {"trie.ids_high", &ids_high},
                               {"nodes", &nodes},
                               {"wide_ids", &wide_ids}});
}

void NormalizerTables::AddTo(Fields& fields) {
  fields.insert(fields.end(), {{"normalizer.blocks", &blocks},
                               {"normalizer.middle", &middle},
                               {"normalizer.entries", &entries},
                               {"normalizer.pool", &pool}});
}

void AddedTables::AddTo(Fields& fields) {
  fields.insert(fields.end(), {{"added.text", &text},
                               {"added.begin", &begin},
                               {"added.ids", &ids},
                               {"added", &count},
                               {"added_raw", &raw},
                               {"added.word_chars", &word_chars, true}});
}

void TemplateTables::AddTo(Fields& fields) {
  fields.insert(fields.end(), {{"prefix", &prefix},
                               {"suffix", &suffix},
                               {"prefix_count", &prefix_count},
                               {"suffix_count", &suffix_count},
                               {"truncate_left", &truncate_left, true},
                               {"pair_middle", &middle, true},
                               {"pair_middle_count", &middle_count, true},
                               {"pair_second_type", &second_type, true}});
}

Status CorruptTable(std::string_view table, std::string_view what) {
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

Status CheckIds(std::string_view table, std::span<const std::uint32_t> ids, std::size_t vocabulary) {
  std::uint32_t highest = 0;
  for (std::uint32_t id : ids) highest = std::max(highest, id);
  if (ids.empty() || highest < vocabulary) return Status();
  return Error(Code::kCorrupt, "tokenizer.", table, ": id ", highest, ", vocabulary has ", vocabulary);
}

namespace {

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
  if (length % 64 != 0 && bits[words - 1] >> length % 64 != 0) return CorruptTable(table, "bits behind the end");
  ones = 0;
  for (std::uint32_t word = 0; word <= std::max(words, last / 64); ++word) {
    if (has_directory && word % (kRankBits / 64) == 0 && word / (kRankBits / 64) <= last / kRankBits &&
        directory[word / (kRankBits / 64)] != ones) {
      return CorruptTable(directory_table, "does not count the bits");
    }
    if (word < words) ones += CountOnes(bits[word]);
  }
  return Status();
}

}  // namespace

Status CheckTrie(const TrieTables& tables, std::size_t vocabulary) {
  const std::uint32_t nodes = tables.nodes;
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("nodes", nodes, kMaxNodes));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("wide_ids", tables.wide_ids, 1));
  if (nodes == 0) return CorruptTable("nodes", "the vocabulary is empty");
  THIMBLE_RETURN_IF_ERROR(CheckLength("trie.labels", tables.labels.size(), nodes));

  std::uint32_t inner, groups, inner_ends;
  THIMBLE_RETURN_IF_ERROR(
      CheckBits("trie.children", tables.children, nodes, "trie.children_rank", tables.children_rank, nodes - 1, inner));
  THIMBLE_RETURN_IF_ERROR(CheckBits("trie.first", tables.first, nodes, "", {}, nodes - 1, groups));
  if (!Bit(tables.first, 0) || groups != inner + 1) {
    return CorruptTable("trie.first", "does not match trie.children");
  }
  THIMBLE_RETURN_IF_ERROR(CheckBits("trie.terminal", tables.terminal, inner, "trie.terminal_rank", tables.terminal_rank,
                                    inner, inner_ends));

  THIMBLE_RETURN_IF_ERROR(
      CheckLength("trie.first_select", tables.first_select.size(), (std::uint64_t{groups} - 1) / kSelectOnes + 1));
  std::uint32_t seen = 0;
  for (std::uint32_t word = 0; word <= (nodes - 1) / 64; ++word) {
    std::uint64_t bits = tables.first[word];
    const std::uint32_t ones = CountOnes(bits);
    // Which bit of this word is the next one to have an entry; at most four have one.
    for (std::uint32_t skip = (kSelectOnes - seen % kSelectOnes) % kSelectOnes, at = 0; skip < ones;
         skip += kSelectOnes) {
      for (; at < skip; ++at) bits &= bits - 1;
      if (tables.first_select[(seen + skip) / kSelectOnes] !=
          word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits))) {
        return CorruptTable("trie.first_select", "does not point at the bits");
      }
    }
    seen += ones;
  }

  const std::uint32_t tokens = nodes - inner + inner_ends;
  THIMBLE_RETURN_IF_ERROR(CheckLength("trie.ids", tables.ids.size(), tokens));
  if (tables.wide_ids != 0) THIMBLE_RETURN_IF_ERROR(CheckLength("trie.ids_high", tables.ids_high.size(), tokens));
  std::uint32_t highest = 0;
  for (std::uint32_t i = 0; i < tokens; ++i) {
    const std::uint32_t high = tables.wide_ids != 0 ? std::uint32_t{tables.ids_high[i]} << 16 : 0;
    highest = std::max(highest, high | tables.ids[i]);
  }
  return CheckIds("trie.ids", std::span<const std::uint32_t>(&highest, 1), vocabulary);
}

Status CheckNormalizer(const NormalizerTables& tables) {
  THIMBLE_RETURN_IF_ERROR(CheckLength("normalizer.blocks", tables.blocks.size(), kNormalizerBlocks));
  const std::size_t middle_blocks = tables.middle.size() / kNormalizerBlock;
  for (std::uint8_t block : tables.blocks.first(kNormalizerBlocks)) {
    if (block >= middle_blocks) return CorruptTable("normalizer.blocks", "points outside normalizer.middle");
  }
  const std::size_t entry_blocks = tables.entries.size() / kNormalizerBlock;
  for (std::uint16_t block : tables.middle) {
    if (block >= entry_blocks) return CorruptTable("normalizer.middle", "points outside normalizer.entries");
  }
  std::uint32_t highest = 0;
  for (std::uint16_t entry : tables.entries) {
    highest = std::max(highest, std::uint32_t{entry});
    if (entry == kEntryReplacement - 1) return CorruptTable("normalizer.entries", "unknown kind of entry");
  }
  if (highest >= kEntryReplacement + tables.pool.size()) {
    return CorruptTable("normalizer.entries", "points outside normalizer.pool");
  }
  std::uint32_t element = 0;
  for (std::uint32_t next : tables.pool) {
    element = next;
    if ((element & 0x1FFFFF) > 0x10FFFF || (element >> 21 & 7) > static_cast<std::uint32_t>(CharClass::kBreak)) {
      return CorruptTable("normalizer.pool", "not a character");
    }
  }
  if (!tables.pool.empty() && (element & kLastElement) == 0) {
    return CorruptTable("normalizer.pool", "the last replacement has no end");
  }
  return Status();
}

Status CheckAdded(const AddedTables& tables, std::size_t vocabulary) {
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("added", tables.count, kMaxAddedTokens));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("added_raw", tables.raw, tables.count));
  THIMBLE_RETURN_IF_ERROR(CheckLength("added.begin", tables.begin.size(), std::uint64_t{tables.count} + 1));
  THIMBLE_RETURN_IF_ERROR(CheckLength("added.ids", tables.ids.size(), tables.count));
  for (std::uint32_t i = 0; i < tables.count; ++i) {
    if (tables.begin[i] >= tables.begin[i + 1]) return CorruptTable("added.begin", "does not grow");
  }
  THIMBLE_RETURN_IF_ERROR(CheckLength("added.text", tables.text.size(), tables.begin[tables.count]));
  std::uint32_t highest = 0;
  bool single_words = false;
  for (std::uint32_t id : tables.ids.first(tables.count)) {
    highest = std::max(highest, id & ~kAddedFlags);
    single_words |= (id & kSingleWord) != 0;
  }
  if (single_words && tables.word_chars.empty()) return CorruptTable("added.word_chars", "is missing");
  if (!std::is_sorted(tables.word_chars.begin(), tables.word_chars.end())) {
    return CorruptTable("added.word_chars", "is not sorted");
  }
  return CheckIds("added.ids", std::span<const std::uint32_t>(&highest, tables.count == 0 ? 0 : 1), vocabulary);
}

Status CheckTemplate(const TemplateTables& tables, std::size_t vocabulary) {
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("prefix_count", tables.prefix_count, kMaxSpecial));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("suffix_count", tables.suffix_count, kMaxSpecial));
  THIMBLE_RETURN_IF_ERROR(CheckLength("prefix", tables.prefix.size(), tables.prefix_count));
  THIMBLE_RETURN_IF_ERROR(CheckLength("suffix", tables.suffix.size(), tables.suffix_count));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("truncate_left", tables.truncate_left, 1));
  THIMBLE_RETURN_IF_ERROR(CheckIds("prefix", tables.prefix.first(tables.prefix_count), vocabulary));
  THIMBLE_RETURN_IF_ERROR(CheckIds("suffix", tables.suffix.first(tables.suffix_count), vocabulary));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("pair_middle_count", tables.middle_count, kMaxSpecial));
  THIMBLE_RETURN_IF_ERROR(CheckLength("pair_middle", tables.middle.size(), tables.middle_count));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("pair_second_type", tables.second_type, 1));
  return CheckIds("pair_middle", tables.middle.first(tables.middle_count), vocabulary);
}

}  // namespace thimble::text
