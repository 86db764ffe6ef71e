// The trie, level by level, then its rank and select directories.

#include <cstddef>
#include <utility>

#include "convert/table_store.h"

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

text::TrieTables BuildTrie(const std::vector<std::pair<std::string, std::uint32_t>>& pieces, TableStore& store) {
  text::TrieTables tables;
  std::vector<std::uint8_t> labels, ids_high;
  std::vector<std::uint64_t> children, first, terminal;
  std::vector<std::uint16_t> ids;
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
        const bool inside = end - i > (ends ? 1 : 0);
        PushBit(children, tables.nodes, inside);
        PushBit(first, tables.nodes, i == range.begin);
        labels.push_back(static_cast<std::uint8_t>(label));
        if (inside) PushBit(terminal, inner++, ends);
        if (ends) {
          ids.push_back(static_cast<std::uint16_t>(pieces[i].second & 0xFFFF));
          ids_high.push_back(static_cast<std::uint8_t>(pieces[i].second >> 16));
          if (pieces[i].second > 0xFFFF) tables.wide_ids = 1;
        }
        ++tables.nodes;
        if (inside) below.push_back({ends ? i + 1 : i, end});
        i = end;
      }
    }
    level = std::move(below);
  }
  if (tables.wide_ids == 0) ids_high.clear();
  std::vector<std::uint32_t> first_select;
  for (std::uint32_t i = 0, ones = 0; i < tables.nodes; ++i) {
    if (GetBit(first, i) && ones++ % text::kSelectOnes == 0) first_select.push_back(i);
  }
  if (tables.nodes > 0) {
    tables.children_rank = store.Keep(RankDirectory(children, tables.nodes, tables.nodes - 1));
    tables.terminal_rank = store.Keep(RankDirectory(terminal, inner, inner));
  }
  tables.first_select = store.Keep(std::move(first_select));
  tables.labels = store.Keep(std::move(labels));
  tables.children = store.Keep(std::move(children));
  tables.first = store.Keep(std::move(first));
  tables.terminal = store.Keep(std::move(terminal));
  tables.ids = store.Keep(std::move(ids));
  tables.ids_high = store.Keep(std::move(ids_high));
  return tables;
}

}  // namespace thimble::convert
