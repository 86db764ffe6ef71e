// The characters of one word, in canonical order.

#ifndef THIMBLE_TEXT_WORD_H_
#define THIMBLE_TEXT_WORD_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "text/tables.h"
#include "text/utf8.h"

namespace thimble::text {

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

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_WORD_H_
