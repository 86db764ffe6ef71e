// A vocabulary as a succinct byte trie: finds the longest entry that begins a text, and the entries of ids.

#ifndef THIMBLE_TEXT_TRIE_H_
#define THIMBLE_TEXT_TRIE_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/tables.h"

namespace thimble::text {

// std::popcount is a library call on a processor without the instruction, which the baseline does not assume.
constexpr std::uint32_t CountOnes(std::uint64_t word) {
  word -= word >> 1 & 0x5555555555555555;
  word = (word & 0x3333333333333333) + (word >> 2 & 0x3333333333333333);
  word = (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0f;
  return static_cast<std::uint32_t>(word * 0x0101010101010101 >> 56);
}

inline bool Bit(std::span<const std::uint64_t> bits, std::uint32_t i) { return bits[i / 64] >> (i % 64) & 1; }

// Set bits before bit i, by a directory of one entry per kRankBits bits.
inline std::uint32_t Rank(std::span<const std::uint64_t> bits, std::span<const std::uint32_t> directory,
                          std::uint32_t i) {
  std::uint32_t rank = directory[i / kRankBits];
  for (std::uint32_t word = i / kRankBits * (kRankBits / 64); word < i / 64; ++word) rank += CountOnes(bits[word]);
  if (i % 64 != 0) rank += CountOnes(bits[i / 64] << (64 - i % 64));
  return rank;
}

// A view of checked tables.
class Trie {
 public:
  static constexpr std::uint32_t kRoot = 0;       // The group of the first bytes.
  static constexpr std::uint32_t kNoGroup = ~0u;  // The group below a node without children.

  struct Match {
    std::size_t length = 0;  // Bytes of the longest entry; 0 when there is none.
    std::uint32_t id = 0;
  };

  explicit Trie(const TrieTables& tables) : tables_(tables) {}

  // Calls visit(token, length) for each entry that begins `text`, shortest first. Tokens are numbered as in the tables.
  template <typename Visit>
  void ForEachPrefix(std::span<const std::uint8_t> text, Visit visit) const {
    std::uint32_t group = kRoot;
    for (std::size_t i = 0; i < text.size() && group != kNoGroup; ++i) {
      Node node;
      if (!Find(group, text[i], node)) break;
      if (node.ends) visit(TokenOf(node), i + 1);
      group = node.group;
    }
  }

  // How many tokens the tables have.
  std::uint32_t CountTokens() const {
    const std::uint32_t last = tables_.nodes - 1;
    const std::uint32_t inner = Rank(tables_.children, tables_.children_rank, last) + Bit(tables_.children, last);
    return tables_.nodes - inner + Rank(tables_.terminal, tables_.terminal_rank, inner);
  }

  std::uint32_t IdOfToken(std::uint32_t token) const {
    std::uint32_t id = tables_.ids[token];
    if (tables_.wide_ids != 0) id |= std::uint32_t{tables_.ids_high[token]} << 16;
    return id;
  }

  // The longest entry that begins `text`, walked from `group`.
  Match Longest(std::uint32_t group, std::span<const std::uint8_t> text) const {
    Match match;
    Node last;
    for (std::size_t i = 0; i < text.size() && group != kNoGroup; ++i) {
      Node node;
      if (!Find(group, text[i], node)) break;
      if (node.ends) {
        match.length = i + 1;
        last = node;
      }
      group = node.group;
    }
    if (match.length > 0) match.id = Id(last);
    return match;
  }

  // The id of a whole entry.
  std::optional<std::uint32_t> Find(std::string_view entry) const {
    const Match match = Longest(kRoot, {reinterpret_cast<const std::uint8_t*>(entry.data()), entry.size()});
    if (match.length == 0 || match.length != entry.size()) return std::nullopt;
    return match.id;
  }

  // Fills in the entries of the ids that are keys, in one walk over the nodes. Takes 8 bytes for each node meanwhile.
  void FindEntries(std::unordered_map<std::uint32_t, std::string>& entries) const {
    std::vector<std::uint32_t> parents;  // Node of each group but the first.
    std::vector<std::uint32_t> groups(tables_.nodes);
    std::uint32_t group = 0, token = 0;
    for (std::uint32_t node = 0; node < tables_.nodes; ++node) {
      if (node > 0 && Bit(tables_.first, node)) ++group;
      groups[node] = group;
      const bool children = Bit(tables_.children, node);
      const auto rank = static_cast<std::uint32_t>(parents.size());
      if (children) parents.push_back(node);
      if (children && !Bit(tables_.terminal, rank)) continue;
      const auto found = entries.find(IdOfToken(token++));
      if (found == entries.end()) continue;
      std::string& text = found->second;
      text.clear();
      // Parents come before their children, so that this ends.
      for (std::uint32_t at = node;; at = parents[groups[at] - 1]) {
        text += static_cast<char>(tables_.labels[at]);
        if (groups[at] == 0) break;
      }
      std::reverse(text.begin(), text.end());
    }
  }

  // The group below the node that `text` leads to, kNoGroup when there is none.
  std::uint32_t Descend(std::span<const std::uint8_t> text) const {
    std::uint32_t group = kRoot;
    for (std::uint8_t byte : text) {
      Node node;
      if (group == kNoGroup || !Find(group, byte, node)) return kNoGroup;
      group = node.group;
    }
    return group;
  }

 private:
  struct Node {
    std::uint32_t index = 0;
    std::uint32_t rank = 0;  // Nodes with children before it.
    std::uint32_t group = kNoGroup;
    bool ends = false;  // Whether an entry ends here.
  };

  // The first node of a group.
  std::uint32_t GroupBegin(std::uint32_t group) const {
    std::uint32_t position = tables_.first_select[group / kSelectOnes];
    std::uint32_t skip = group % kSelectOnes;
    std::uint32_t word = position / 64;
    std::uint64_t bits = tables_.first[word] & ~std::uint64_t{0} << position % 64;
    for (std::uint32_t ones = CountOnes(bits); skip >= ones; ones = CountOnes(bits)) {
      skip -= ones;
      bits = tables_.first[++word];
    }
    for (; skip > 0; --skip) bits &= bits - 1;
    return word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
  }

  // One past the last node of the group that begins at node `begin`.
  std::uint32_t GroupEnd(std::uint32_t begin) const {
    std::uint32_t word = (begin + 1) / 64;
    if ((begin + 1) >= tables_.nodes) return tables_.nodes;
    std::uint64_t bits = tables_.first[word] & ~std::uint64_t{0} << (begin + 1) % 64;
    while (bits == 0) {
      if (++word * 64 >= tables_.nodes) return tables_.nodes;
      bits = tables_.first[word];
    }
    return word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
  }

  bool Find(std::uint32_t group, std::uint8_t label, Node& node) const {
    std::uint32_t begin = GroupBegin(group);
    const std::uint8_t* labels = tables_.labels.data();
    if (labels[begin] != label) {
      std::uint32_t end = GroupEnd(begin);
      const void* found = std::memchr(labels + begin + 1, label, end - begin - 1);
      if (found == nullptr) return false;
      begin = static_cast<std::uint32_t>(static_cast<const std::uint8_t*>(found) - labels);
    }
    node.index = begin;
    node.rank = Rank(tables_.children, tables_.children_rank, begin);
    bool children = Bit(tables_.children, begin);
    node.group = children ? node.rank + 1 : kNoGroup;
    node.ends = !children || Bit(tables_.terminal, node.rank);
    return true;
  }

  std::uint32_t TokenOf(const Node& node) const {
    return node.index - node.rank + Rank(tables_.terminal, tables_.terminal_rank, node.rank);
  }
  std::uint32_t Id(const Node& node) const { return IdOfToken(TokenOf(node)); }

  const TrieTables& tables_;
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_TRIE_H_
