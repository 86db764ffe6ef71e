// Collecting what a TokenReader reads; and of ids, added tokens, then what the kind has.

#include "text/token_list.h"

#include <algorithm>
#include <cstddef>
#include <memory>
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

Tokens ListTokens(const Tokenizer& tokenizer, std::string_view prompt, std::string_view text,
                  const ListOptions& options) {
  constexpr std::size_t kRead = 256;  // Tokens at a time.
  const std::unique_ptr<TokenRanges> kept = options.offsets ? std::make_unique<TokenRanges>() : nullptr;
  Tokens list;
  const auto add_special = [&](TableSpan<std::uint32_t> ids) {
    if (options.special) list.ids.insert(list.ids.end(), ids.begin(), ids.end());
    if (kept) list.offsets.resize(list.ids.size());
  };
  // Adds a text's own tokens, at most `most`, the last ones where `last`. Returns whether there were more.
  const auto add_text = [&](std::string_view before, std::string_view own, std::size_t most, bool last) {
    TokenReader reader(tokenizer, before, own, kept.get());
    const std::size_t begin = list.ids.size();
    std::int32_t ids[kRead];
    ByteRange ranges[kRead];
    for (std::size_t left = most, read = 1; read > 0; left -= last ? 0 : read) {
      read = reader.Read(std::span(ids).first(std::min(left, kRead)), nullptr, kept ? ranges : nullptr);
      list.ids.insert(list.ids.end(), ids, ids + read);
      if (kept) list.offsets.insert(list.offsets.end(), ranges, ranges + read);
    }
    const std::size_t count = list.ids.size() - begin;
    if (count <= most) return !reader.AtEnd();
    const auto first = static_cast<std::ptrdiff_t>(begin), behind = first + static_cast<std::ptrdiff_t>(count - most);
    list.ids.erase(list.ids.begin() + first, list.ids.begin() + behind);
    if (kept) list.offsets.erase(list.offsets.begin() + first, list.offsets.begin() + behind);
    return true;
  };

  const bool keeps_suffix = options.cut == Cut::kText;
  const std::size_t special = keeps_suffix ? tokenizer.num_special() : tokenizer.num_prefix();
  add_special(tokenizer.prefix());
  list.truncated = add_text(prompt, text, options.max_tokens - (options.special ? special : 0),
                            keeps_suffix && tokenizer.truncates_left());
  add_special(tokenizer.suffix());
  if (options.pair) {
    // A tokenizer without tokens between texts has BERT's.
    if (!tokenizer.middle().empty() && options.special) {
      list.ids.resize(list.ids.size() - tokenizer.suffix().size());
      if (kept) list.offsets.resize(list.ids.size());
      add_special(tokenizer.middle());
    }
    list.type_ids.resize(list.ids.size(), 0);
    add_text({}, *options.pair, options.max_tokens, false);
    add_special(tokenizer.suffix());
    list.type_ids.resize(list.ids.size(), tokenizer.middle().empty() || tokenizer.has_second_type() ? 1 : 0);
  }
  if (list.ids.size() > options.max_tokens) {
    list.ids.resize(options.max_tokens);
    if (kept) list.offsets.resize(options.max_tokens);
    list.truncated = true;
  }
  return list;
}

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
  // Vocabularies that took another's entries, as MPNet's, have both "[MASK]" and "<mask>": theirs is in the style of
  // the first token.
  const bool angled =
      !tokenizer.prefix().empty() && IdOf(tokenizer, "<s>") == static_cast<std::int32_t>(tokenizer.prefix()[0]);
  const auto either = [&](std::string_view brackets, std::string_view angles) {
    const std::optional<std::int32_t> id = IdOf(tokenizer, angled ? angles : brackets);
    return id ? id : IdOf(tokenizer, angled ? brackets : angles);
  };
  SpecialIds ids = {
      .cls = {}, .sep = {}, .unk = {}, .pad = either("[PAD]", "<pad>"), .mask = either("[MASK]", "<mask>")};
  if (const auto unknown = tokenizer.kind().unknown_id()) ids.unk = static_cast<std::int32_t>(*unknown);
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
