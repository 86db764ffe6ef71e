// The way of a text through normaliser, words and WordPiece to ids.

#include "text/tokenizer.h"

#include <algorithm>

#include "text/check_tables.h"
#include "text/trie.h"
#include "text/utf8.h"

namespace thimble::text {
namespace {

bool IsSpace(const Item& item) { return item.kind == Item::Kind::kCharacter && item.char_class == CharClass::kSpace; }

}  // namespace

Result<Tokenizer> Tokenizer::Create(const Tables& tables, std::size_t vocabulary) {
  Status status = CheckTables(tables, vocabulary);
  if (!status.ok()) return status;
  return Tokenizer(tables);
}

Tokenizer::Tokenizer(const Tables& tables)
    : tables_(tables), continuation_group_(Trie(tables).Descend(tables.continuation.first(tables.continuation_bytes))) {
  for (std::uint32_t i = 0; i < tables_.added_raw; ++i) added_first_.set(tables_.added_text[tables_.added_begin[i]]);
}

std::size_t Tokenizer::num_special() const { return std::size_t{tables_.prefix_count} + tables_.suffix_count; }

Encoded Tokenizer::Encode(std::string_view prompt, std::string_view text, std::span<std::int32_t> ids) const {
  TokenReader reader(*this, prompt, text);
  const std::size_t count = reader.Read(ids.subspan(num_prefix(), ids.size() - num_special()));
  return {AddSpecial(ids.data(), count), !reader.AtEnd()};
}

std::size_t Tokenizer::Count(std::string_view prompt, std::string_view text) const {
  TokenReader reader(*this, prompt, text);
  std::int32_t ids[64];
  std::size_t count = num_special();
  while (std::size_t read = reader.Read(ids)) count += read;
  return count;
}

std::size_t Tokenizer::AddSpecial(std::int32_t* ids, std::size_t count) const {
  for (std::uint32_t i = 0; i < tables_.prefix_count; ++i) ids[i] = static_cast<std::int32_t>(tables_.prefix[i]);
  std::int32_t* suffix = ids + tables_.prefix_count + count;
  for (std::uint32_t i = 0; i < tables_.suffix_count; ++i) suffix[i] = static_cast<std::int32_t>(tables_.suffix[i]);
  return count + num_special();
}

TokenReader::TokenReader(const Tokenizer& tokenizer, std::string_view prompt, std::string_view text)
    : tokenizer_(tokenizer),
      trie_(tokenizer.tables_),
      reader_(tokenizer.tables_, tokenizer.added_first_, prompt, text),
      word_(tokenizer.tables_.max_word_chars) {}

std::size_t TokenReader::Read(std::span<std::int32_t> ids, std::uint8_t* begins_word) {
  std::size_t count = 0;
  while (count < ids.size()) {
    if (AtWord() && !NextWord()) break;
    if (begins_word != nullptr) begins_word[count] = next_piece_ == 0;
    ids[count++] = static_cast<std::int32_t>(pieces_[next_piece_++]);
  }
  return count;
}

bool TokenReader::AtEnd() {
  if (!AtWord()) return false;
  if (held_) return false;
  // What is no space proves that there is more: every word has a token.
  const NormalizedReader here = reader_;
  Item item;
  do {
    item = NextItem();
  } while (item.kind == Item::Kind::kBreak || IsSpace(item));
  reader_ = here;
  return item.kind == Item::Kind::kEnd;
}

bool TokenReader::NextWord() {
  num_pieces_ = next_piece_ = 0;
  word_.Clear();
  for (;;) {
    const Item item = held_ ? *held_ : NextItem();
    held_.reset();
    if (item.kind == Item::Kind::kBreak) {
      word_.EndRun();
      continue;
    }
    if (item.kind == Item::Kind::kCharacter && item.char_class == CharClass::kWord) {
      word_.Append(item.value, item.rank);
      continue;
    }
    if (!word_.empty()) {
      if (item.kind != Item::Kind::kEnd && !IsSpace(item)) held_ = item;
      SplitWord();
      return true;
    }
    if (item.kind == Item::Kind::kEnd) return false;
    if (item.kind == Item::Kind::kAdded) {
      pieces_[num_pieces_++] = tokenizer_.tables_.added_ids[item.value];
      return true;
    }
    if (!IsSpace(item)) {
      word_.Append(item.value, item.rank);
      SplitWord();
      return true;
    }
  }
}

Item TokenReader::NextItem() {
  const Tables& tables = tokenizer_.tables_;
  if (tables.added == tables.added_raw) return reader_.Next();
  NormalizedReader ahead = reader_;
  Item match = reader_.Next();
  if (match.kind != Item::Kind::kCharacter) return match;
  AddedSearch search(tables, tables.added_raw, tables.added);
  while (true) {
    const Item item = ahead.Next();
    if (item.kind == Item::Kind::kBreak) continue;
    if (item.kind != Item::Kind::kCharacter) return match;
    std::uint8_t utf8[4];
    const std::size_t bytes = EncodeUtf8(item.value, utf8);
    for (std::size_t i = 0; i < bytes; ++i) {
      if (!search.Step(utf8[i])) return match;
    }
    if (search.whole()) {
      match = {Item::Kind::kAdded, CharClass::kWord, 0, search.index()};
      reader_ = ahead;
    }
  }
}

// The longest pieces from left to right; a word that has none of somewhere is unknown.
void TokenReader::SplitWord() {
  const std::uint32_t unknown = tokenizer_.tables_.unknown_id;
  if (word_.too_long()) {
    pieces_[num_pieces_++] = unknown;
    return;
  }
  std::span<const std::uint8_t> rest = word_.Utf8();
  for (std::uint32_t group = Trie::kRoot; !rest.empty(); group = tokenizer_.continuation_group_) {
    const Trie::Match match = trie_.Longest(group, rest);
    if (match.length == 0 || num_pieces_ == pieces_.size()) {
      num_pieces_ = 0;
      pieces_[num_pieces_++] = unknown;
      return;
    }
    pieces_[num_pieces_++] = match.id;
    rest = rest.subspan(match.length);
  }
}

}  // namespace thimble::text
