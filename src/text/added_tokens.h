// Tokens that are looked for in the text as they are, before it is split into words.

#ifndef THIMBLE_TEXT_ADDED_TOKENS_H_
#define THIMBLE_TEXT_ADDED_TOKENS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "text/tables.h"

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

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_ADDED_TOKENS_H_
