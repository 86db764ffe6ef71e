// A text of any length as windows of a limited one, which overlap and end between words.

#ifndef THIMBLE_TEXT_WINDOWS_H_
#define THIMBLE_TEXT_WINDOWS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/arena.h"
#include "text/tokenizer.h"

namespace thimble::text {

// What the windows of one call have in common. The tokenizer and the arena's memory must outlive it.
class WindowShape {
 public:
  // Takes its buffers from `arena`; with one that only counts, it must not be used.
  WindowShape(const Tokenizer& tokenizer, std::size_t max_tokens, base::Arena& arena);

  // The prompt of every window. False when it leaves no room for a token of the text.
  bool SetPrompt(std::string_view prompt);
  // Tokens of a text in a window, beside the special ones and the prompt's.
  std::size_t room() const { return max_tokens_ - tokenizer_.num_special() - prompt_tokens_; }
  std::size_t prompt_tokens() const { return prompt_tokens_; }

 private:
  friend class Windows;
  const Tokenizer& tokenizer_;
  const std::size_t max_tokens_;
  std::string_view prompt_;
  std::size_t prompt_tokens_ = 0;
  std::int32_t* prompt_ids_;   // [max_tokens]
  std::int32_t* ids_;          // [max_tokens] what the next window begins with, then all of it
  std::uint8_t* begins_word_;  // [max_tokens] of each
};

// Thread-compatible. One at a time may use a shape. Allocates nothing.
class Windows {
 public:
  // Windows of `text` share `overlap` tokens with the one before, or up to a word fewer; requires overlap <
  // shape.room().
  Windows(WindowShape& shape, std::string_view text, std::size_t overlap);

  // Writes the next window, special tokens and prompt included, and returns how many tokens it has, at most the
  // shape's; 0 behind the last one. There is at least one. A window ends before a word, unless one word is longer than
  // a window.
  std::size_t Next(std::int32_t* ids);

  // Whether Next would return 0.
  bool AtEnd() const { return done_; }
  // Tokens of the text in the windows so far, each counted once, prompt and special tokens included.
  std::size_t tokens() const { return tokens_; }

 private:
  WindowShape& shape_;
  TokenReader reader_;
  const std::size_t overlap_;
  std::size_t held_ = 0;    // Ids that the next window begins with,
  std::size_t shared_ = 0;  // and how many of them the last one had.
  std::size_t tokens_;
  bool done_ = false;
  bool first_ = true;
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_WINDOWS_H_
