// The trie, level by level, then its rank and select directories.

#include "convert/tokenizer_trie.h"

#include <cstddef>

namespace thimble::convert {
namespace {

void PushBit(std::vector<std::uint64_t>& bits, std::uint32_t position, bool value) {
  if (position % 64 == 0) bits.push_back(0);
  bits.back() |= std::uint64_t{value} << position % 64;
}

bool GetBit(const std::vector<std::uint64_t>& bits, std::uint32_t position) {
  return (bits[position / 64] >> position % 64 & 1) != 0;
}

// Set bits before every kRankBits-th position from 0 to `last`.
std::vector<std::uint32_t> RankDirectory(const std::vector<std::uint64_t>& bits, std::uint32_t length,
                                         std::uint32_t last) {
  std::vector<std::uint32_t> directory;
  std::uint32_t ones = 0;
  for (std::uint32_t i = 0; i <= last; ++i) {
    if (i % text::kRankBits == 0) directory.push_back(ones);
    if (i < length) ones += GetBit(bits, i);
  }
  return directory;
}

// Pieces [begin, end) that share their first bytes.
struct Range {
  std::size_t begin;
  std::size_t end;
};

}  // namespace

void BuildTrie(const std::vector<std::pair<std::string, std::uint32_t>>& pieces, text::OwnedTables& tables) {
  std::uint32_t inner = 0;
  std::vector<Range> level;
  if (!pieces.empty()) level.push_back({0, pieces.size()});
  for (std::size_t depth = 0; !level.empty(); ++depth) {
    std::vector<Range> below;
    for (Range range : level) {
      for (std::size_t i = range.begin; i < range.end;) {
        const char label = pieces[i].first[depth];
        std::size_t end = i + 1;
        while (end < range.end && pieces[end].first[depth] == label) ++end;
        const bool ends = pieces[i].first.size() == depth + 1;
        const bool children = end - i > (ends ? 1 : 0);
        PushBit(tables.trie_children, tables.nodes, children);
        PushBit(tables.trie_first, tables.nodes, i == range.begin);
        tables.trie_labels.push_back(static_cast<std::uint8_t>(label));
        if (children) PushBit(tables.trie_terminal, inner++, ends);
        if (ends) {
          tables.trie_ids.push_back(static_cast<std::uint16_t>(pieces[i].second & 0xFFFF));
          tables.trie_ids_high.push_back(static_cast<std::uint8_t>(pieces[i].second >> 16));
          if (pieces[i].second > 0xFFFF) tables.wide_ids = 1;
        }
        ++tables.nodes;
        if (children) below.push_back({ends ? i + 1 : i, end});
        i = end;
      }
    }
    level = std::move(below);
  }
  if (tables.wide_ids == 0) tables.trie_ids_high.clear();
  if (tables.nodes == 0) return;

  tables.trie_children_rank = RankDirectory(tables.trie_children, tables.nodes, tables.nodes - 1);
  tables.trie_terminal_rank = RankDirectory(tables.trie_terminal, inner, inner);
  for (std::uint32_t i = 0, ones = 0; i < tables.nodes; ++i) {
    if (!GetBit(tables.trie_first, i)) continue;
    if (ones++ % text::kSelectOnes == 0) tables.trie_first_select.push_back(i);
  }
}

}  // namespace thimble::convert
