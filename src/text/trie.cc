// The way back from an id to its entry, which the trie is not made for.

#include "text/trie.h"

#include <algorithm>
#include <vector>

namespace thimble::text {

void Trie::FindEntries(std::unordered_map<std::uint32_t, std::string>& entries) const {
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

}  // namespace thimble::text
