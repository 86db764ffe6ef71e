// The way of a text through normaliser, words and WordPiece to ids.

#include "text/wordpiece.h"

#include <array>
#include <span>

#include "base/error.h"
#include "text/normalizer.h"
#include "text/trie.h"
#include "text/utf8.h"

namespace thimble::text {
namespace {

bool IsSpace(const Item& item) { return item.kind == Item::Kind::kCharacter && item.char_class == CharClass::kSpace; }

// The word being read: at most `max_chars` characters, marks in canonical order.
class Word {
 public:
  explicit Word(std::size_t max_chars) : max_chars_(max_chars) {}

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  bool too_long() const { return too_long_; }

  void Append(std::uint32_t code_point, std::uint8_t rank) {
    if (size_ == max_chars_) {
      too_long_ = true;
      return;
    }
    std::size_t i = size_++;
    if (rank != 0) {
      for (; i > run_begin_ && chars_[i - 1] >> 24 > rank; --i) chars_[i] = chars_[i - 1];
    }
    chars_[i] = PoolElement(code_point, CharClass::kWord, rank);
  }

  // Later marks stay behind what is here.
  void EndRun() { run_begin_ = size_; }

  void Clear() {
    size_ = 0;
    run_begin_ = 0;
    too_long_ = false;
  }

  std::span<const std::uint8_t> Utf8() {
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < size_; ++i) bytes += EncodeUtf8(chars_[i] & 0x1FFFFF, &utf8_[bytes]);
    return {utf8_.data(), bytes};
  }

 private:
  std::size_t max_chars_;
  std::size_t size_ = 0;
  std::size_t run_begin_ = 0;
  bool too_long_ = false;
  std::array<std::uint32_t, kMaxWordChars> chars_;  // Code point, and the rank from bit 24.
  std::array<std::uint8_t, 4 * kMaxWordChars> utf8_;
};

// Each run is a word.
class WordPieceStream final : public TokenStream {
 public:
  WordPieceStream(const WordPiece& kind, const TextReader& text, TokenRanges* ranges)
      : kind_(kind), trie_(kind.trie), items_(kind.normalizer, text), word_(kind.max_word_chars), ranges_(ranges) {}

  bool Next(Run& run) override;
  bool AtEnd() override;

 private:
  Item NextItem();
  // The item that ended the last word; requires held_.
  Item TakeHeld();
  void Append(const Item& item);
  // The pieces of the word in hand.
  void Split(Run& run);
  // Makes the word in hand one unknown token.
  void MakeUnknown(Run& run);

  const WordPiece& kind_;
  const Trie trie_;
  ItemReader items_;
  Word word_;
  TokenRanges* const ranges_;
  std::optional<Item> held_;  // Ended the last word and belongs to the next.
};

bool WordPieceStream::AtEnd() {
  if (held_) return false;
  // What is no space proves that there is more: every word has a token.
  ItemReader ahead = items_;
  Item item;
  do {
    item = ahead.Next();
  } while (item.kind == Item::Kind::kBreak || IsSpace(item));
  return item.kind == Item::Kind::kEnd;
}

bool WordPieceStream::Next(Run& run) {
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
      Split(run);
      return true;
    }
    if (item.kind == Item::Kind::kEnd) return false;
    if (item.kind == Item::Kind::kAdded) {
      run.ids[run.size++] = kind_.added.Id(item.value);
      if (ranges_ != nullptr) [[unlikely]]
        ranges_->tokens[0] = ranges_->item;
      return true;
    }
    if (!IsSpace(item)) {
      Append(item);
      Split(run);
      return true;
    }
  }
}

Item WordPieceStream::NextItem() {
  const Item item = items_.Next();
  if (ranges_ != nullptr) [[unlikely]]
    ranges_->item = items_.RangeOf(item);
  return item;
}

Item WordPieceStream::TakeHeld() {
  const Item item = *held_;
  held_.reset();
  if (ranges_ != nullptr) [[unlikely]]
    ranges_->item = ranges_->held;
  return item;
}

void WordPieceStream::Append(const Item& item) {
  if (ranges_ != nullptr) [[unlikely]]
    ranges_->AddCharacter(word_.size());
  word_.Append(item.value, item.rank);
}

void WordPieceStream::Split(Run& run) {
  if (word_.too_long()) return MakeUnknown(run);
  const std::span<const std::uint8_t> word = word_.Utf8();
  std::span<const std::uint8_t> rest = word;
  for (std::uint32_t group = Trie::kRoot; !rest.empty(); group = kind_.continuation_group) {
    const Trie::Match match = trie_.Longest(group, rest);
    // A piece is a character or more, but for damaged tables.
    if (match.length == 0 || run.size == run.ids.size()) return MakeUnknown(run);
    if (ranges_ != nullptr) [[unlikely]] {
      const std::size_t begin = word.size() - rest.size();
      ranges_->AddToken(run.size, word, begin, begin + match.length);
    }
    run.ids[run.size++] = match.id;
    rest = rest.subspan(match.length);
  }
}

void WordPieceStream::MakeUnknown(Run& run) {
  run.ids[0] = kind_.unknown;
  run.size = 1;
  if (ranges_ != nullptr) [[unlikely]]
    ranges_->tokens[0] = ranges_->word;
}

}  // namespace

Status WordPiece::Check(std::size_t vocabulary) {
  THIMBLE_RETURN_IF_ERROR(CheckTrie(trie, vocabulary));
  THIMBLE_RETURN_IF_ERROR(CheckNormalizer(normalizer));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("continuation_bytes", continuation_bytes, kMaxPieceBytes));
  THIMBLE_RETURN_IF_ERROR(CheckLength("continuation", continuation.size(), continuation_bytes));
  THIMBLE_RETURN_IF_ERROR(CheckAtMost("max_word_chars", max_word_chars, kMaxWordChars));
  if (max_word_chars == 0) return CorruptTable("max_word_chars", "is 0");
  continuation_group = Trie(trie).Descend(continuation.first(continuation_bytes));
  return CheckIds("unknown_id", std::span<const std::uint32_t>(&unknown, 1), vocabulary);
}

TokenStream* WordPiece::Start(const TextReader& text, TokenRanges* ranges, StreamMemory& memory) const {
  return memory.Make<WordPieceStream>(*this, text, ranges);
}

void WordPiece::FindEntries(std::unordered_map<std::uint32_t, std::string>& entries) const {
  Trie(trie).FindEntries(entries);
}

std::optional<std::uint32_t> WordPiece::FindId(std::string_view entry) const { return Trie(trie).Find(entry); }

void WordPiece::AddTo(Fields& fields) {
  trie.AddTo(fields);
  normalizer.AddTo(fields);
  fields.insert(
      fields.end(),
      {{"unknown_id", &unknown}, {"max_word_chars", &max_word_chars}, {"continuation_bytes", &continuation_bytes}});
  added.AddTo(fields);
  fields.push_back({"continuation", &continuation});
  around.AddTo(fields);
}

}  // namespace thimble::text
