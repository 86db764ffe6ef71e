// The words of a text whose spaces are part of them: as the pre-tokenizers WhitespaceSplit and Metaspace make them.

#ifndef THIMBLE_TEXT_WORD_READER_H_
#define THIMBLE_TEXT_WORD_READER_H_

#include <cstddef>
#include <cstdint>

#include "text/steps.h"
#include "text/text_reader.h"

namespace thimble::text {

// How a normalised text is split.
struct SplitRules {
  // When the mark is put before a word that does not begin with it.
  enum Prepend : std::uint32_t { kNever, kAlways, kFirst };

  std::uint32_t mark = 0;  // What spaces become; 0 where they stay.
  std::uint32_t prepend = kNever;
  std::uint32_t splits_at_marks = 0;   // 1: a word begins at each mark.
  std::uint32_t splits_at_spaces = 0;  // 1: white space parts words, before anything else.
};

// What StepReader gives, with the added tokens that are looked for behind normalisation.
class UnitReader {
 public:
  UnitReader(const StepTables& tables, const TextReader& text) : added_(&text.added()), reader_(tables, text) {}

  Unit Next() { return added_->count == added_->raw ? reader_.Next() : NextOrAdded(); }

 private:
  struct Match {
    StepReader behind;
    std::uint32_t number;
    std::uint32_t last;  // Its last character.
    std::size_t characters;
    std::size_t end;
  };

  Unit NextOrAdded();
  // The longest token that begins with `unit`, behind which `reader` is; false for none.
  bool Find(const Unit& unit, const StepReader& reader, Match& match) const;
  // Whether a token that takes white space before it follows the space behind which `reader` is; moves it there.
  bool StripsLeft();
  void SkipSpaces();

  const AddedTables* added_;
  StepReader reader_;
  std::uint32_t previous_ = kNoCodePoint;  // The character before the next one.
  std::size_t covered_ = 0;                // How many characters a token that did not count still covers.
  std::size_t plain_ = 0;                  // White space that is known to stay.
};

// Copying one remembers a place. Allocates nothing.
class WordReader {
 public:
  enum class What : std::uint8_t { kWord, kAdded, kEnd };

  WordReader(const StepTables& tables, const SplitRules& rules, const TextReader& text)
      : rules_(&rules), units_(tables, text) {}

  // Moves to the next word, or behind an added token, which it leaves in `added`.
  What Begin(Unit& added) {
    for (;;) {
      const Unit& next = Peek();
      if (next.value == TextReader::kEnd) return What::kEnd;
      if (next.is_end()) {
        added = next;
        has_next_ = false;
        at_split_ = true;
        return What::kAdded;
      }
      if (rules_->splits_at_spaces == 0 || !IsWhiteSpace(next.value)) break;
      has_next_ = false;
      at_split_ = true;
    }
    prepends_ = at_split_ && rules_->mark != 0 && Marked(next_.value) != rules_->mark &&
                (rules_->prepend == SplitRules::kAlways || (rules_->prepend == SplitRules::kFirst && next_.begin == 0));
    at_split_ = false;
    at_start_ = true;
    return What::kWord;
  }

  // The next character of the word; false at its end.
  bool Next(Unit& unit) {
    unit = Peek();
    if (prepends_) {
      unit.value = rules_->mark;
      prepends_ = at_start_ = false;
      return true;
    }
    if (unit.is_end() || (rules_->splits_at_spaces != 0 && IsWhiteSpace(unit.value))) return false;
    unit.value = Marked(unit.value);
    if (rules_->splits_at_marks != 0 && unit.value == rules_->mark && !at_start_) return false;
    has_next_ = at_start_ = false;
    return true;
  }

 private:
  const Unit& Peek() {
    if (!has_next_) next_ = units_.Next();
    has_next_ = true;
    return next_;
  }
  std::uint32_t Marked(std::uint32_t value) const { return value == ' ' && rules_->mark != 0 ? rules_->mark : value; }

  const SplitRules* rules_;
  UnitReader units_;
  Unit next_;
  bool has_next_ = false;
  bool at_split_ = true;   // Whether what comes next is not parted by a mark only.
  bool at_start_ = false;  // Of the word.
  bool prepends_ = false;  // Whether the mark comes first.
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_WORD_READER_H_
