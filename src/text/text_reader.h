// A text as code points and added tokens, which every kind of tokenizer reads.

#ifndef THIMBLE_TEXT_TEXT_READER_H_
#define THIMBLE_TEXT_TEXT_READER_H_

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "text/tables.h"
#include "text/utf8.h"

namespace thimble::text {

// Whether `code_point` is one of those that no single_word token may stand beside.
inline bool IsWordChar(const AddedTables& tables, std::uint32_t code_point) {
  const TableSpan<std::uint32_t> bounds = tables.word_chars;
  return (std::upper_bound(bounds.begin(), bounds.end(), code_point) - bounds.begin()) % 2 != 0;
}

// Narrows the sorted added tokens [begin, end) to those that start with the bytes given so far.
class AddedSearch {
 public:
  AddedSearch(const AddedTables& tables, std::uint32_t begin, std::uint32_t end)
      : tables_(&tables), begin_(begin), end_(end) {}

  // False when no token starts so.
  bool Step(std::uint8_t byte) {
    begin_ = Bound(byte);
    end_ = Bound(byte + 1);
    ++length_;
    return begin_ < end_;
  }

  // Whether the bytes given are a whole token, whose number is index().
  bool whole() const { return begin_ < end_ && Length(begin_) == length_; }
  std::uint32_t index() const { return begin_; }

 private:
  std::uint32_t Length(std::uint32_t i) const { return tables_->begin[i + 1] - tables_->begin[i]; }

  // The first token whose next byte is at least `value`; a token that has ended comes before all others.
  std::uint32_t Bound(int value) const {
    std::uint32_t low = begin_;
    std::uint32_t high = end_;
    while (low < high) {
      std::uint32_t middle = low + (high - low) / 2;
      int next = length_ < Length(middle) ? tables_->text[tables_->begin[middle] + length_] : -1;
      if (next < value) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  const AddedTables* tables_;
  std::uint32_t begin_;
  std::uint32_t end_;
  std::uint32_t length_ = 0;
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

// Reads a text, of which `prompt`, valid UTF-8, is the beginning, as code points and added tokens. Copying one
// remembers a place. Allocates nothing.
class TextReader {
 public:
  static constexpr std::uint32_t kEnd = kNoCodePoint;             // What Next gives at the end.
  static constexpr std::uint32_t kFirstAdded = kNoCodePoint + 1;  // And for added token i, this and i.

  TextReader(const AddedTables& added, const FirstBytes& added_first, std::string_view prompt, std::string_view text)
      : added_(&added), added_first_(&added_first), bytes_(prompt, text) {}

  // What is not UTF-8 reads as U+FFFD.
  std::uint32_t Next() {
    if (bytes_.empty()) return kEnd;
    if (added_first_->test(*bytes_.next)) {
      const std::uint32_t added = MatchAdded();
      if (added != kEnd) return added;
    }
    return DecodeUtf8(bytes_.next, bytes_.end);
  }

  // Bytes behind what was read.
  std::size_t left() const { return bytes_.left(); }
  // Bytes of the code point that was read last.
  std::size_t last_bytes() const { return bytes_.PreviousBytes().size(); }
  const AddedTables& added() const { return *added_; }

 private:
  // Moves behind the longest added token that starts here, if there is one; kEnd otherwise.
  std::uint32_t MatchAdded() {
    if (bytes_.left() > matches_from_) return kEnd;
    AddedSearch search(*added_, 0, added_->raw);
    std::uint32_t match = kEnd;
    TwoParts ahead = bytes_, behind = bytes_;
    while (!ahead.empty() && search.Step(*ahead.next)) {
      ++ahead.next;
      if (!search.whole()) continue;
      match = search.index();
      behind = ahead;
    }
    if (match == kEnd) return kEnd;
    if ((added_->ids[match] & kSingleWord) != 0 && TouchesWord(behind)) {
      // As in the library, no other token starts in what this one covers.
      matches_from_ = behind.left();
      return kEnd;
    }
    bytes_ = behind;
    return kFirstAdded + match;
  }

  // Whether a word character stands before the next byte, or at the first of `behind`.
  bool TouchesWord(TwoParts behind) const {
    if (IsWordChar(*added_, bytes_.Previous())) return true;
    return !behind.empty() && IsWordChar(*added_, DecodeUtf8(behind.next, behind.end));
  }

  const AddedTables* added_;
  const FirstBytes* added_first_;
  TwoParts bytes_;
  std::size_t matches_from_ = SIZE_MAX;  // An added token starts where at most so many bytes are left.
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_TEXT_READER_H_
