// One walk over the nodes of the trie.

#include "text/vocabulary.h"

#include <algorithm>
#include <unordered_map>

#include "text/trie.h"

namespace thimble::text {
namespace {

constexpr std::uint32_t kIdMask = kSingleWord - 1;

}  // namespace

std::vector<std::string> EntriesOf(const Tables& tables, std::span<const std::int32_t> ids) {
  std::unordered_map<std::uint32_t, std::string> entries;
  for (std::int32_t id : ids) entries.emplace(static_cast<std::uint32_t>(id), std::string());
  std::vector<std::uint32_t> parents;  // Node of each group but the first.
  std::vector<std::uint32_t> groups(tables.nodes);
  std::uint32_t group = 0, token = 0;
  for (std::uint32_t node = 0; node < tables.nodes; ++node) {
    if (node > 0 && Bit(tables.trie_first, node)) ++group;
    groups[node] = group;
    const bool children = Bit(tables.trie_children, node);
    const auto rank = static_cast<std::uint32_t>(parents.size());
    if (children) parents.push_back(node);
    if (children && !Bit(tables.trie_terminal, rank)) continue;
    std::uint32_t id = tables.trie_ids[token];
    if (tables.wide_ids != 0) id |= std::uint32_t{tables.trie_ids_high[token]} << 16;
    ++token;
    const auto found = entries.find(id);
    if (found == entries.end()) continue;
    std::string& text = found->second;
    text.clear();
    // Parents come before their children, so that this ends.
    for (std::uint32_t at = node;; at = parents[groups[at] - 1]) {
      text += static_cast<char>(tables.trie_labels[at]);
      if (groups[at] == 0) break;
    }
    std::reverse(text.begin(), text.end());
  }
  for (std::uint32_t i = 0; i < tables.added; ++i) {
    const auto found = entries.find(tables.added_ids[i] & kIdMask);
    if (found == entries.end()) continue;
    const std::uint32_t begin = tables.added_begin[i], end = tables.added_begin[i + 1];
    found->second.assign(reinterpret_cast<const char*>(tables.added_text.data()) + begin, end - begin);
  }
  std::vector<std::string> texts;
  texts.reserve(ids.size());
  for (std::int32_t id : ids) texts.push_back(entries[static_cast<std::uint32_t>(id)]);
  return texts;
}

std::optional<std::int32_t> IdOf(const Tables& tables, std::string_view entry) {
  for (std::uint32_t i = 0; i < tables.added; ++i) {
    const std::uint32_t begin = tables.added_begin[i];
    const auto* text = reinterpret_cast<const char*>(tables.added_text.data()) + begin;
    if (std::string_view(text, tables.added_begin[i + 1] - begin) != entry) continue;
    return static_cast<std::int32_t>(tables.added_ids[i] & kIdMask);
  }
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(entry.data());
  const Trie::Match match = Trie(tables).Longest(Trie::kRoot, {bytes, entry.size()});
  if (match.length == 0 || match.length != entry.size()) return std::nullopt;
  return static_cast<std::int32_t>(match.id);
}

SpecialIds SpecialIdsOf(const Tables& tables) {
  const auto either = [&](std::string_view first, std::string_view second) {
    const std::optional<std::int32_t> id = IdOf(tables, first);
    return id ? id : IdOf(tables, second);
  };
  SpecialIds ids = {.cls = {},
                    .sep = {},
                    .unk = static_cast<std::int32_t>(tables.unknown_id),
                    .pad = either("[PAD]", "<pad>"),
                    .mask = either("[MASK]", "<mask>")};
  if (tables.prefix_count > 0) ids.cls = static_cast<std::int32_t>(tables.prefix[0]);
  if (tables.suffix_count > 0) ids.sep = static_cast<std::int32_t>(tables.suffix[tables.suffix_count - 1]);
  return ids;
}

bool HasBertTemplate(const Tables& tables) {
  return tables.prefix_count == 1 && tables.suffix_count == 1 &&
         IdOf(tables, "[CLS]") == static_cast<std::int32_t>(tables.prefix[0]) &&
         IdOf(tables, "[SEP]") == static_cast<std::int32_t>(tables.suffix[0]);
}

bool IsSpecial(const Tables& tables, std::int32_t id) {
  const auto begin = [](TableSpan<std::uint32_t> list, std::uint32_t count) { return list.first(count); };
  for (const TableSpan<std::uint32_t> list :
       {begin(tables.prefix, tables.prefix_count), begin(tables.suffix, tables.suffix_count)}) {
    if (std::find(list.begin(), list.end(), static_cast<std::uint32_t>(id)) != list.end()) return true;
  }
  return false;
}

}  // namespace thimble::text
