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

Encoded Tokenizer::Encode(std::string_view prompt, std::string_view text, std::span<std::int32_t> ids, Cut cut) const {
  TokenReader reader(*this, prompt, text);
  if (cut == Cut::kAll) {
    const std::size_t room = ids.size() - num_special();
    const std::size_t count = reader.Read(ids.subspan(num_prefix()));
    if (count <= room) return {AddSpecial(ids.data(), count), false};
    for (std::size_t i = 0; i < num_prefix(); ++i) ids[i] = static_cast<std::int32_t>(tables_.prefix[i]);
    for (std::size_t i = num_prefix() + count, k = 0; i < ids.size(); ++i, ++k) {
      ids[i] = static_cast<std::int32_t>(tables_.suffix[k]);
    }
    return {ids.size(), true};
  }
  const std::span<std::int32_t> own = ids.subspan(num_prefix(), ids.size() - num_special());
  if (tables_.truncate_left != 0) return EncodeEnd(reader, own, ids);
  const std::size_t count = reader.Read(own);
  return {AddSpecial(ids.data(), count), !reader.AtEnd()};
}

Encoded Tokenizer::EncodeEnd(TokenReader& reader, std::span<std::int32_t> own, std::span<std::int32_t> ids) const {
  std::size_t count = reader.Read(own);
  if (count < own.size() || reader.AtEnd()) return {AddSpecial(ids.data(), count), false};
  // `own` is a ring from here on, whose oldest id lies at `count`.
  for (count = 0; !reader.AtEnd(); count %= own.size()) count += reader.Read(own.subspan(count));
  std::rotate(own.begin(), own.begin() + static_cast<std::ptrdiff_t>(count), own.end());
  return {AddSpecial(ids.data(), own.size()), true};
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

TokenReader::TokenReader(const Tokenizer& tokenizer, std::string_view prompt, std::string_view text, WordRanges* ranges)
    : tokenizer_(tokenizer),
      trie_(tokenizer.tables_),
      size_(prompt.size() + text.size()),
      reader_(tokenizer.tables_, tokenizer.added_first_, prompt, text),
      word_(tokenizer.tables_.max_word_chars),
      ranges_(ranges) {}

std::size_t TokenReader::Read(std::span<std::int32_t> ids, std::uint8_t* begins_word, ByteRange* ranges) {
  std::size_t count = 0;
  while (count < ids.size()) {
    if (AtWord() && !NextWord()) break;
    if (begins_word != nullptr) begins_word[count] = next_piece_ == 0;
    if (ranges != nullptr) ranges[count] = ranges_->pieces[next_piece_];
    ids[count++] = static_cast<std::int32_t>(pieces_[next_piece_++]);
  }
  return count;
}

bool TokenReader::AtEnd() {
  if (!AtWord()) return false;
  if (held_) return false;
  // What is no space proves that there is more: every word has a token.
  const NormalizedReader here = reader_;
  const std::uint32_t previous = previous_;
  const std::size_t covered = covered_;
  Item item;
  do {
    item = NextItem();
  } while (item.kind == Item::Kind::kBreak || IsSpace(item));
  reader_ = here;
  previous_ = previous;
  covered_ = covered;
  return item.kind == Item::Kind::kEnd;
}

bool TokenReader::NextWord() {
  num_pieces_ = next_piece_ = 0;
  word_.Clear();
  for (;;) {
    const Item item = held_ ? TakeHeld() : NextItem();
    if (item.kind == Item::Kind::kBreak) {
      word_.EndRun();
      continue;
    }
    if (item.kind == Item::Kind::kCharacter && item.char_class == CharClass::kWord) {
      Append(item);
      continue;
    }
    if (!word_.empty()) {
      if (item.kind != Item::Kind::kEnd && !IsSpace(item)) {
        held_ = item;
        if (ranges_ != nullptr) [[unlikely]]
          ranges_->held = ranges_->item;
      }
      SplitWord();
      return true;
    }
    if (item.kind == Item::Kind::kEnd) return false;
    if (item.kind == Item::Kind::kAdded) {
      pieces_[num_pieces_++] = tokenizer_.tables_.added_ids[item.value] & ~kSingleWord;
      if (ranges_ != nullptr) [[unlikely]]
        ranges_->pieces[0] = ranges_->item;
      return true;
    }
    if (!IsSpace(item)) {
      Append(item);
      SplitWord();
      return true;
    }
  }
}

Item TokenReader::TakeHeld() {
  const Item item = *held_;
  held_.reset();
  if (ranges_ != nullptr) [[unlikely]]
    ranges_->item = ranges_->held;
  return item;
}

void TokenReader::Append(const Item& item) {
  if (ranges_ != nullptr) [[unlikely]]
    ranges_->AddCharacter(word_.size());
  word_.Append(item.value, item.rank);
}

ByteRange TokenReader::LastRange(const Item& item) const {
  const Tables& tables = tokenizer_.tables_;
  const std::size_t end = size_ - reader_.left();
  const bool added = item.kind == Item::Kind::kAdded;
  return {end - (added ? tables.added_begin[item.value + 1] - tables.added_begin[item.value] : reader_.last_bytes()),
          end};
}

Item TokenReader::NextItem() {
  const Tables& tables = tokenizer_.tables_;
  if (tables.added == tables.added_raw) {
    const Item item = reader_.Next();
    if (ranges_ != nullptr) [[unlikely]]
      ranges_->item = LastRange(item);
    return item;
  }
  NormalizedReader ahead = reader_;
  const Item next = reader_.Next();
  if (ranges_ != nullptr) [[unlikely]]
    ranges_->item = LastRange(next);
  if (next.kind == Item::Kind::kAdded) previous_ = kNoCodePoint;
  if (next.kind != Item::Kind::kCharacter) return next;
  if (covered_ > 0) {
    --covered_;
    previous_ = next.value;
    return next;
  }
  AddedSearch search(tables, tables.added_raw, tables.added);
  NormalizedReader behind = reader_;
  std::uint32_t last = 0;
  std::size_t match = tables.added, characters = 0, length = 0;
  for (bool matching = true; matching;) {
    const Item item = ahead.Next();
    if (item.kind == Item::Kind::kBreak) continue;
    if (item.kind != Item::Kind::kCharacter) break;
    ++characters;
    std::uint8_t utf8[4];
    const std::size_t bytes = EncodeUtf8(item.value, utf8);
    for (std::size_t i = 0; i < bytes && matching; ++i) matching = search.Step(utf8[i]);
    if (!matching || !search.whole()) continue;
    match = search.index();
    last = item.value;
    length = characters;
    behind = ahead;
  }
  if (match == tables.added) {
    previous_ = next.value;
    return next;
  }
  if ((tables.added_ids[match] & kSingleWord) != 0 && TouchesWord(behind)) {
    // As in the library, no other token starts in what this one covers.
    covered_ = length - 1;
    previous_ = next.value;
    return next;
  }
  reader_ = behind;
  previous_ = last;
  if (ranges_ != nullptr) [[unlikely]]
    ranges_->item.end = size_ - reader_.left();
  return {Item::Kind::kAdded, CharClass::kWord, 0, static_cast<std::uint32_t>(match)};
}

bool TokenReader::TouchesWord(NormalizedReader behind) const {
  if (IsWordChar(tokenizer_.tables_, previous_)) return true;
  Item item;
  do {
    item = behind.Next();
  } while (item.kind == Item::Kind::kBreak);
  return item.kind == Item::Kind::kCharacter && IsWordChar(tokenizer_.tables_, item.value);
}

// The longest pieces from left to right; a word that has none of somewhere is unknown.
void TokenReader::SplitWord() {
  const std::uint32_t unknown = tokenizer_.tables_.unknown_id;
  if (ranges_ != nullptr) [[unlikely]]
    ranges_->pieces[0] = ranges_->word;
  if (word_.too_long()) {
    pieces_[num_pieces_++] = unknown;
    return;
  }
  const std::span<const std::uint8_t> word = word_.Utf8();
  std::span<const std::uint8_t> rest = word;
  for (std::uint32_t group = Trie::kRoot; !rest.empty(); group = tokenizer_.continuation_group_) {
    const Trie::Match match = trie_.Longest(group, rest);
    if (match.length == 0 || num_pieces_ == pieces_.size()) {
      num_pieces_ = 0;
      pieces_[num_pieces_++] = unknown;
      if (ranges_ != nullptr) [[unlikely]]
        ranges_->pieces[0] = ranges_->word;
      return;
    }
    if (ranges_ != nullptr) [[unlikely]] {
      const std::size_t begin = word.size() - rest.size();
      ranges_->AddPiece(num_pieces_, word, begin, begin + match.length);
    }
    pieces_[num_pieces_++] = match.id;
    rest = rest.subspan(match.length);
  }
}

}  // namespace thimble::text
