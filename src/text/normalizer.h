// Reads a text as the characters that the normaliser makes of it, one at a time.

#ifndef THIMBLE_TEXT_NORMALIZER_H_
#define THIMBLE_TEXT_NORMALIZER_H_

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "text/added_tokens.h"
#include "text/tables.h"
#include "text/utf8.h"

namespace thimble::text {

// What the normaliser says of `code_point`.
inline std::uint16_t NormalizerEntry(const Tables& tables, std::uint32_t code_point) {
  std::uint32_t block = tables.normalizer_blocks[code_point >> 12];
  block = tables.normalizer_middle[block * kNormalizerBlock + (code_point >> 6 & 63)];
  return tables.normalizer_entries[block * kNormalizerBlock + (code_point & 63)];
}

// A character of normalised text, or something that stands between characters.
struct Item {
  enum class Kind : std::uint8_t { kCharacter, kBreak, kAdded, kEnd };
  Kind kind = Kind::kEnd;
  CharClass char_class = CharClass::kWord;  // Of a character: kWord, kSpace or kPunctuation.
  std::uint8_t rank = 0;                    // Of a character: order of its combining class among reordered marks.
  std::uint32_t value = 0;                  // The code point, or the number of the added token.
};

// Bytes that can start an added token.
using FirstBytes = std::bitset<256>;

// Bytes that may lie in two places, one behind the other.
struct TwoParts {
  TwoParts(std::string_view first, std::string_view second)
      : first_begin(reinterpret_cast<const std::uint8_t*>(first.data())),
        first_end(first_begin + first.size()),
        next(first_begin),
        end(first_end),
        rest_begin(reinterpret_cast<const std::uint8_t*>(second.data())),
        rest(rest_begin),
        rest_end(rest + second.size()) {}

  // Whether nothing is left; else `next` is before `end`.
  bool empty() {
    if (next != end) return false;
    next = rest;
    end = rest_end;
    rest = rest_end;
    return next == end;
  }

  std::size_t left() const { return static_cast<std::size_t>((end - next) + (rest_end - rest)); }

  // The bytes of the character before `next`, as DecodeUtf8 reads it; none at the start.
  std::span<const std::uint8_t> PreviousBytes() const {
    const bool in_first = end == first_end;
    const std::uint8_t* begin = in_first ? first_begin : rest_begin;
    const std::uint8_t* behind = next;
    if (!in_first && next == rest_begin) {
      begin = first_begin;
      behind = first_end;
    }
    if (behind == begin) return {};
    const std::uint8_t* start = behind - 1;
    while (start != begin && behind - start < 4 && (*start & 0xC0) == 0x80) --start;
    const std::uint8_t* after = start;
    DecodeUtf8(after, behind);
    return {after == behind ? start : behind - 1, behind};
  }

  // The character before `next`; kNoCodePoint at the start. What is not UTF-8 reads as U+FFFD.
  std::uint32_t Previous() const {
    const std::span<const std::uint8_t> bytes = PreviousBytes();
    if (bytes.empty()) return kNoCodePoint;
    const std::uint8_t* start = bytes.data();
    return DecodeUtf8(start, start + bytes.size());
  }

  const std::uint8_t* first_begin;
  const std::uint8_t* first_end;
  const std::uint8_t* next;
  const std::uint8_t* end;
  const std::uint8_t* rest_begin;
  const std::uint8_t* rest;
  const std::uint8_t* rest_end;
};

// Reads a text from its start to its end, as if `prompt`, which is valid UTF-8, were part of it. Copying one remembers
// a place. Allocates nothing. The characters come in the order of the text: the caller puts marks in the order of their
// ranks.
class NormalizedReader {
 public:
  NormalizedReader(const Tables& tables, const FirstBytes& added_first, std::string_view prompt, std::string_view text)
      : tables_(&tables), added_first_(&added_first), bytes_(prompt, text) {}

  // Bytes behind what was read.
  std::size_t left() const { return bytes_.left(); }
  // Bytes of the character that was read last; every item but an added token is made of that.
  std::size_t last_bytes() const { return bytes_.PreviousBytes().size(); }

  Item Next() {
    if (num_waiting_ > 0) return Expand(waiting_[--num_waiting_]);
    if (replacement_ != nullptr) return NextOfReplacement();
    while (!bytes_.empty()) {
      if (added_first_->test(*bytes_.next)) {
        Item item = MatchAdded();
        if (item.kind == Item::Kind::kAdded) return item;
      }
      std::uint32_t code_point = DecodeUtf8(bytes_.next, bytes_.end);
      std::uint16_t entry = NormalizerEntry(*tables_, code_point);
      if (entry < kEntryDrop) return Expand(PoolElement(code_point, static_cast<CharClass>(entry), 0));
      if (entry == kEntryDrop) continue;
      if (entry == kEntryHangul) return DecomposeHangul(code_point);
      replacement_ = &tables_->normalizer_pool[entry - kEntryReplacement];
      return NextOfReplacement();
    }
    return {};
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

  // Moves behind the longest added token that starts here, if there is one.
  Item MatchAdded() {
    if (bytes_.left() > matches_from_) return {};
    AddedSearch search(*tables_, 0, tables_->added_raw);
    Item item;
    TwoParts ahead = bytes_, behind = bytes_;
    while (!ahead.empty() && search.Step(*ahead.next)) {
      ++ahead.next;
      if (!search.whole()) continue;
      item = {Item::Kind::kAdded, CharClass::kWord, 0, search.index()};
      behind = ahead;
    }
    if (item.kind != Item::Kind::kAdded) return item;
    if ((tables_->added_ids[item.value] & kSingleWord) != 0 && TouchesWord(behind)) {
      // As in the library, no other token starts in what this one covers.
      matches_from_ = behind.left();
      return {};
    }
    bytes_ = behind;
    return item;
  }

  // Whether a word character stands before the next byte, or at the first of `behind`.
  bool TouchesWord(TwoParts behind) const {
    if (IsWordChar(*tables_, bytes_.Previous())) return true;
    return !behind.empty() && IsWordChar(*tables_, DecodeUtf8(behind.next, behind.end));
  }

  const Tables* tables_;
  const FirstBytes* added_first_;
  TwoParts bytes_;
  const std::uint32_t* replacement_ = nullptr;  // Next element of the replacement being read.
  std::uint32_t waiting_[2] = {};               // Elements that come first, the last one before the others.
  std::uint32_t num_waiting_ = 0;
  std::size_t matches_from_ = SIZE_MAX;  // An added token starts where at most so many bytes are left.
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_NORMALIZER_H_
