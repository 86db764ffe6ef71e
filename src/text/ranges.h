// Where the tokens of a run are in their text.

#ifndef THIMBLE_TEXT_RANGES_H_
#define THIMBLE_TEXT_RANGES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "text/tables.h"
#include "thimble/model.h"

namespace thimble::text {

// What a stream keeps of the word in hand so that it can tell where its tokens are. As in the library, the i-th
// character of a normalised word has the place of the i-th in the text, whatever order its marks were put in.
struct TokenRanges {
  // Takes `item` into the word, behind its first `size` characters; one that the word has no room for too.
  void AddCharacter(std::size_t size) {
    if (size == 0) word.begin = item.begin;
    word.end = item.end;
    if (size < characters.size()) characters[size] = item;
  }

  // Says that token `index` has bytes [begin, end), which are not empty, of the word's UTF-8.
  void AddToken(std::size_t index, std::span<const std::uint8_t> utf8, std::size_t begin, std::size_t end) {
    if (index == 0) last_byte_ = last_character_ = 0;
    const std::size_t first = CharacterOf(utf8, begin);
    tokens[index] = {characters[first].begin, characters[CharacterOf(utf8, end - 1)].end};
  }

  ByteRange item, held;  // Of the last item, and of the one that waits for the next word.
  ByteRange word;
  std::array<ByteRange, kMaxWordChars> characters;
  std::array<ByteRange, kMaxRun> tokens;  // Of the run.

 private:
  // The number of the character that has a byte, which is no earlier than that of the last call.
  std::size_t CharacterOf(std::span<const std::uint8_t> utf8, std::size_t byte) {
    for (; last_byte_ < byte; ++last_byte_) {
      if ((utf8[last_byte_ + 1] & 0xC0) != 0x80) ++last_character_;
    }
    return last_character_;
  }

  std::size_t last_byte_ = 0, last_character_ = 0;
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_RANGES_H_
