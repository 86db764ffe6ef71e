// A text as the words of GPT-2's split, byte by byte.

#ifndef THIMBLE_TEXT_BPE_SOURCE_H_
#define THIMBLE_TEXT_BPE_SOURCE_H_

#include <cstddef>
#include <cstdint>

#include "text/bpe.h"
#include "text/text_reader.h"
#include "text/utf8.h"
#include "thimble/model.h"

namespace thimble::text {

// Copying one remembers a place. Allocates nothing.
class BpeSource {
 public:
  enum class Next : std::uint8_t { kWord, kAdded, kEnd };

  BpeSource(const Bpe& kind, const TextReader& text) : kind_(&kind), size_(text.left()), text_(text) { Advance(); }

  // What comes next; of a word, all bytes must have been read before the next call.
  Next Begin() {
    while (next_ < TextReader::kEnd && kind_->ClassOf(next_) == SplitClass::kSpace) {
      if (BeginSpaces()) return Next::kWord;
    }
    if (next_ == TextReader::kEnd) return Next::kEnd;
    if (next_ > TextReader::kEnd) return Next::kAdded;
    virtual_space_ = starts_ && kind_->prefix_space != 0;
    starts_ = false;
    count_ = virtual_space_ || next_ != '\'' ? 0 : ContractionLength();
    runs_ = count_ == 0;
    run_class_ = kind_->ClassOf(next_);
    return Next::kWord;
  }

  // An added token and its place: its own, and with the white space that it takes, so many characters before it.
  struct Added {
    std::uint32_t number;
    ByteRange own, place;
    std::size_t stripped;
  };

  // The added token that is next.
  Added TakeAdded() {
    Added token = {.number = next_ - TextReader::kFirstAdded,
                   .own = {next_begin_, next_end_},
                   .place = {stripped_ > 0 ? strip_begin_ : next_begin_, next_end_},
                   .stripped = stripped_};
    stripped_ = 0;
    Advance();
    if ((kind_->added.ids[token.number] & kStripsRight) != 0) {
      while (next_ < TextReader::kEnd && kind_->ClassOf(next_) == SplitClass::kSpace) {
        token.place.end = next_end_;
        Advance();
      }
    }
    starts_ = true;
    return token;
  }

  // The next byte of the word; false at its end.
  bool ReadByte(std::uint8_t& byte) {
    if (waiting_ == 0 && !ReadCharacter()) return false;
    byte = utf8_[bytes_ - waiting_--];
    return true;
  }
  // Whether the word has more.
  bool InWord() const {
    return waiting_ > 0 || virtual_space_ || count_ > 0 ||
           (runs_ && next_ < TextReader::kEnd && kind_->ClassOf(next_) == run_class_);
  }
  // The place of the character that has the byte that was read last.
  ByteRange place() const { return place_; }

 private:
  void Advance() {
    next_begin_ = next_end_;
    next_ = text_.Next();
    next_end_ = size_ - text_.left();
  }

  // Begins the word that white space is next for, or skips the white space and gives false where an added token takes
  // it.
  bool BeginSpaces() {
    TextReader ahead = text_;
    std::size_t count = 1;
    std::uint32_t last = next_, behind;
    for (; (behind = ahead.Next()) < TextReader::kEnd && kind_->ClassOf(behind) == SplitClass::kSpace; last = behind) {
      ++count;
    }
    if (behind > TextReader::kEnd && (kind_->added.ids[behind - TextReader::kFirstAdded] & kStripsLeft) != 0) {
      strip_begin_ = next_begin_;
      stripped_ = count;
      for (; count > 0; --count) Advance();
      return false;
    }
    virtual_space_ = starts_ && kind_->prefix_space != 0 && next_ != ' ';
    starts_ = false;
    runs_ = false;
    count_ = count;
    if (behind >= TextReader::kEnd) return true;
    if (count + virtual_space_ > 1) {
      // The last one is left to the next word.
      --count_;
    } else if (last == ' ') {
      runs_ = true;
      run_class_ = kind_->ClassOf(behind);
    }
    return true;
  }

  // Of the contraction that begins with the apostrophe that is next; 0 where there is none.
  std::size_t ContractionLength() const {
    TextReader ahead = text_;
    switch (ahead.Next()) {
      case 's':
      case 't':
      case 'm':
      case 'd':
        return 2;
      case 'r':
      case 'v':
        return ahead.Next() == 'e' ? 3 : 0;
      case 'l':
        return ahead.Next() == 'l' ? 3 : 0;
      default:
        return 0;
    }
  }

  bool ReadCharacter() {
    if (virtual_space_) {
      virtual_space_ = false;
      utf8_[0] = ' ';
      bytes_ = waiting_ = 1;
      // As in the library, which puts it at the first character.
      place_ = {next_begin_, next_end_};
      return true;
    }
    if (count_ > 0) {
      --count_;
    } else if (!runs_ || next_ >= TextReader::kEnd || kind_->ClassOf(next_) != run_class_) {
      return false;
    }
    bytes_ = waiting_ = EncodeUtf8(next_, utf8_);
    place_ = {next_begin_, next_end_};
    Advance();
    return true;
  }

  const Bpe* kind_;
  std::size_t size_;  // Bytes of the text.
  TextReader text_;   // Behind next_.
  std::uint32_t next_ = TextReader::kEnd;
  std::size_t next_begin_ = 0, next_end_ = 0;
  bool starts_ = true;  // Whether next_ begins a text or comes behind an added token.
  // The word: a space that the text does not have, count_ characters, then those of a class.
  bool virtual_space_ = false;
  bool runs_ = false;
  SplitClass run_class_ = SplitClass::kOther;
  std::size_t count_ = 0;
  // The last waiting_ of bytes_ bytes of a character are to be read.
  std::uint8_t utf8_[4] = {};
  std::size_t bytes_ = 0, waiting_ = 0;
  ByteRange place_;
  std::size_t stripped_ = 0;  // Characters that the added token that is next takes, from strip_begin_ on.
  std::size_t strip_begin_ = 0;
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_BPE_SOURCE_H_
