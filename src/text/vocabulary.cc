// Added tokens, then what the kind has.

#include "text/vocabulary.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_map>

namespace thimble::text {
namespace {

// The id of an entry, of an added token first; none where there is no such entry.
std::optional<std::int32_t> IdOf(const Tokenizer& tokenizer, std::string_view entry) {
  const AddedTables& added = tokenizer.kind().added;
  for (std::uint32_t i = 0; i < added.count; ++i) {
    if (added.Text(i) == entry) return static_cast<std::int32_t>(added.Id(i));
  }
  const std::optional<std::uint32_t> id = tokenizer.kind().FindId(entry);
  if (!id) return std::nullopt;
  return static_cast<std::int32_t>(*id);
}

}  // namespace

std::vector<std::string> EntriesOf(const Tokenizer& tokenizer, std::span<const std::int32_t> ids) {
  std::unordered_map<std::uint32_t, std::string> entries;
  for (std::int32_t id : ids) entries.emplace(static_cast<std::uint32_t>(id), std::string());
  tokenizer.kind().FindEntries(entries);
  const AddedTables& added = tokenizer.kind().added;
  for (std::uint32_t i = 0; i < added.count; ++i) {
    const auto found = entries.find(added.Id(i));
    if (found != entries.end()) found->second = added.Text(i);
  }
  std::vector<std::string> texts;
  texts.reserve(ids.size());
  for (std::int32_t id : ids) texts.push_back(entries[static_cast<std::uint32_t>(id)]);
  return texts;
}

SpecialIds SpecialIdsOf(const Tokenizer& tokenizer) {
  const auto either = [&](std::string_view first, std::string_view second) {
    const std::optional<std::int32_t> id = IdOf(tokenizer, first);
    return id ? id : IdOf(tokenizer, second);
  };
  SpecialIds ids = {.cls = {},
                    .sep = {},
                    .unk = static_cast<std::int32_t>(tokenizer.kind().unknown_id()),
                    .pad = either("[PAD]", "<pad>"),
                    .mask = either("[MASK]", "<mask>")};
  if (!tokenizer.prefix().empty()) ids.cls = static_cast<std::int32_t>(tokenizer.prefix()[0]);
  if (!tokenizer.suffix().empty()) ids.sep = static_cast<std::int32_t>(tokenizer.suffix().back());
  return ids;
}

bool HasBertTemplate(const Tokenizer& tokenizer) {
  return tokenizer.num_prefix() == 1 && tokenizer.num_special() == 2 &&
         IdOf(tokenizer, "[CLS]") == static_cast<std::int32_t>(tokenizer.prefix()[0]) &&
         IdOf(tokenizer, "[SEP]") == static_cast<std::int32_t>(tokenizer.suffix()[0]);
}

bool IsSpecial(const Tokenizer& tokenizer, std::int32_t id) {
  for (const TableSpan<std::uint32_t> list : {tokenizer.prefix(), tokenizer.suffix()}) {
    if (std::find(list.begin(), list.end(), static_cast<std::uint32_t>(id)) != list.end()) return true;
  }
  return false;
}

}  // namespace thimble::text
