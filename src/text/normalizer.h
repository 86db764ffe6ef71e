// Reads a text as the characters that the normaliser makes of it, and added tokens, one at a time.

#ifndef THIMBLE_TEXT_NORMALIZER_H_
#define THIMBLE_TEXT_NORMALIZER_H_

#include <cstddef>
#include <cstdint>

#include "text/tables.h"
#include "text/text_reader.h"
#include "text/utf8.h"
#include "thimble/model.h"

namespace thimble::text {

// What the normaliser says of `code_point`.
inline std::uint16_t NormalizerEntry(const NormalizerTables& tables, std::uint32_t code_point) {
  std::uint32_t block = tables.blocks[code_point >> 12];
  block = tables.middle[block * kNormalizerBlock + (code_point >> 6 & 63)];
  return tables.entries[block * kNormalizerBlock + (code_point & 63)];
}

// A character of normalised text, or something that stands between characters.
struct Item {
  enum class Kind : std::uint8_t { kCharacter, kBreak, kAdded, kEnd };
  Kind kind = Kind::kEnd;
  CharClass char_class = CharClass::kWord;  // Of a character: kWord, kSpace or kPunctuation.
  std::uint8_t rank = 0;                    // Of a character: order of its combining class among reordered marks.
  std::uint32_t value = 0;                  // The code point, or the number of the added token.
};
inline Item AddedItem(std::uint32_t number) { return {Item::Kind::kAdded, CharClass::kWord, 0, number}; }

// Reads a text from its start to its end. Copying one remembers a place. Allocates nothing. The characters come in the
// order of the text: the caller puts marks in the order of their ranks.
class NormalizedReader {
 public:
  NormalizedReader(const NormalizerTables& tables, const TextReader& text) : tables_(&tables), text_(text) {}

  // Where it is; every item but an added token is made of the character that was read last.
  const TextReader& text() const { return text_; }

  Item Next() {
    if (num_waiting_ > 0) return Expand(waiting_[--num_waiting_]);
    if (replacement_ != nullptr) return NextOfReplacement();
    for (;;) {
      const std::uint32_t code_point = text_.Next();
      if (code_point == TextReader::kEnd) return {};
      if (code_point > TextReader::kEnd) return AddedItem(code_point - TextReader::kFirstAdded);
      const std::uint16_t entry = NormalizerEntry(*tables_, code_point);
      if (entry < kEntryDrop) return Expand(PoolElement(code_point, static_cast<CharClass>(entry), 0));
      if (entry == kEntryDrop) continue;
      if (entry == kEntryHangul) return DecomposeHangul(code_point);
      replacement_ = &tables_->pool[entry - kEntryReplacement];
      return NextOfReplacement();
    }
  }

 private:
  static Item Character(std::uint32_t code_point, CharClass char_class, std::uint32_t rank = 0) {
    return {Item::Kind::kCharacter, char_class, static_cast<std::uint8_t>(rank), code_point};
  }

  Item Expand(std::uint32_t element) {
    std::uint32_t code_point = element & 0x1FFFFF;
    CharClass char_class = static_cast<CharClass>(element >> 21 & 7);
    if (char_class == CharClass::kBreak) return {Item::Kind::kBreak};
    if (char_class != CharClass::kSpaced) return Character(code_point, char_class, element >> 24 & 127);
    waiting_[0] = PoolElement(' ', CharClass::kSpace, 0);
    waiting_[1] = PoolElement(code_point, CharClass::kWord, 0);
    num_waiting_ = 2;
    return Character(' ', CharClass::kSpace);
  }

  Item NextOfReplacement() {
    std::uint32_t element = *replacement_;
    replacement_ = (element & kLastElement) != 0 ? nullptr : replacement_ + 1;
    return Expand(element);
  }

  Item DecomposeHangul(std::uint32_t code_point) {
    constexpr std::uint32_t kFirst = 0xAC00, kLeading = 0x1100, kVowel = 0x1161, kTrailing = 0x11A7;
    constexpr std::uint32_t kLeadings = 19, kVowels = 21, kTrailings = 28;
    // The remainder keeps damaged tables, which may call anything Hangul, within code points.
    std::uint32_t index = (code_point - kFirst) % (kLeadings * kVowels * kTrailings);
    std::uint32_t trailing = index % kTrailings;
    if (trailing != 0) waiting_[num_waiting_++] = PoolElement(kTrailing + trailing, CharClass::kWord, 0);
    waiting_[num_waiting_++] = PoolElement(kVowel + index / kTrailings % kVowels, CharClass::kWord, 0);
    return Character(kLeading + index / (kVowels * kTrailings), CharClass::kWord);
  }

  const NormalizerTables* tables_;
  TextReader text_;
  const std::uint32_t* replacement_ = nullptr;  // Next element of the replacement being read.
  std::uint32_t waiting_[2] = {};               // Elements that come first, the last one before the others.
  std::uint32_t num_waiting_ = 0;
};

// The characters of a normalised text, with the added tokens that are looked for before normalisation and behind it.
// Copying one remembers a place. Allocates nothing.
class ItemReader {
 public:
  ItemReader(const NormalizerTables& tables, const TextReader& text)
      : added_(&text.added()), size_(text.left()), reader_(tables, text) {}

  Item Next() {
    if (added_->count == added_->raw) return reader_.Next();
    return NextOrAdded();
  }

  // The bytes of the text that `item`, which was read last, stands for.
  ByteRange RangeOf(const Item& item) const {
    const std::size_t end = size_ - reader_.text().left();
    if (item.kind != Item::Kind::kAdded) return {end - reader_.text().last_bytes(), end};
    return {item.value < added_->raw ? end - added_->Text(item.value).size() : match_begin_, end};
  }

 private:
  // The next item, or the longest added token whose normalised text begins with it.
  Item NextOrAdded() {
    NormalizedReader ahead = reader_;
    const Item next = reader_.Next();
    if (next.kind == Item::Kind::kAdded) previous_ = kNoCodePoint;
    if (next.kind != Item::Kind::kCharacter) return next;
    if (covered_ > 0) {
      --covered_;
      previous_ = next.value;
      return next;
    }
    AddedSearch search(*added_, added_->raw, added_->count);
    NormalizedReader behind = reader_;
    std::uint32_t match = added_->count, last = 0;
    std::size_t characters = 0, length = 0;
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
    if (match == added_->count) {
      previous_ = next.value;
      return next;
    }
    if ((added_->ids[match] & kSingleWord) != 0 && TouchesWord(behind)) {
      // As in the library, no other token starts in what this one covers.
      covered_ = length - 1;
      previous_ = next.value;
      return next;
    }
    match_begin_ = RangeOf(next).begin;
    reader_ = behind;
    previous_ = last;
    return AddedItem(match);
  }

  // Whether a word character stands before the next item, or is the next of `behind`.
  bool TouchesWord(NormalizedReader behind) const {
    if (IsWordChar(*added_, previous_)) return true;
    Item item;
    do {
      item = behind.Next();
    } while (item.kind == Item::Kind::kBreak);
    return item.kind == Item::Kind::kCharacter && IsWordChar(*added_, item.value);
  }

  const AddedTables* added_;
  std::size_t size_;  // Bytes of the text.
  NormalizedReader reader_;
  std::uint32_t previous_ = kNoCodePoint;  // The character before the next item.
  std::size_t covered_ = 0;                // How many characters a token that did not count still covers.
  std::size_t match_begin_ = 0;            // Of the last token behind normalisation.
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_NORMALIZER_H_
