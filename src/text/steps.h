// Normalising a text step by step, each of which sees the characters that the one before it gives.

#ifndef THIMBLE_TEXT_STEPS_H_
#define THIMBLE_TEXT_STEPS_H_

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "text/charsmap.h"
#include "text/normalizer.h"
#include "text/tables.h"
#include "text/text_reader.h"
#include "text/utf8.h"
#include "thimble/model.h"

namespace thimble::text {

// Unicode's White_Space.
inline bool IsWhiteSpace(std::uint32_t code_point) {
  if (code_point < 0x85) return code_point == ' ' || (code_point >= '\t' && code_point <= '\r');
  return code_point == 0x85 || code_point == 0xA0 || code_point == 0x1680 ||
         (code_point >= 0x2000 && code_point <= 0x200A) || code_point == 0x2028 || code_point == 0x2029 ||
         code_point == 0x202F || code_point == 0x205F || code_point == 0x3000;
}

inline constexpr std::size_t kMaxSteps = 6;
inline constexpr std::size_t kMaxPattern = 8;

struct Step {
  enum class Kind : std::uint32_t {
    kCharacters,  // Each character by the tables of the normaliser.
    kCharsmap,
    kReplace,   // The characters of `pattern`, by `content`.
    kCollapse,  // Runs of at least `least` spaces, and of one that is in `pattern`, by `content`.
    kTrim,      // Spaces at the start of a text and at its end go.
    kPrefix,    // Puts `content` before a text that begins with a character of `pattern`, or any where that is empty.
    kCompose,   // Puts marks in canonical order; composes where `composes`.
  };
  // Flags in the table.
  static constexpr std::uint32_t kWhiteSpace = 1, kLeft = 2, kRight = 4, kComposes = 8, kTwo = 16, kAllFlags = 31;

  bool InClass(std::uint32_t c) const { return (flags & kWhiteSpace) != 0 ? IsWhiteSpace(c) : c == ' '; }
  bool InPattern(std::uint32_t c) const { return std::find(pattern.begin(), pattern.end(), c) != pattern.end(); }

  Kind kind = Kind::kCharacters;
  std::uint32_t flags = 0;
  TableSpan<std::uint32_t> pattern, content;
};

// The tables of a normaliser that is a list of steps.
struct StepTables {
  TableSpan<std::uint32_t>
      code;  // [words] of each step its kind, flags, length of the pattern and of the content, both.
  NormalizerTables characters;
  CharsmapTables charsmap;
  TableSpan<std::uint64_t> compositions;  // [pairs], sorted: first character << 42 | second << 21 | what they become.
  std::uint32_t words = 0;
  std::uint32_t pairs = 0;

  // Made by Check.
  std::array<Step, kMaxSteps> steps;
  std::size_t size = 0;

  Status Check();
  void AddTo(Fields& fields);
};

// A character with the bytes of the text that it stands for; or the end of a piece: an added token, or of the text.
struct Unit {
  bool is_end() const { return (value & 0x1FFFFF) >= kNoCodePoint; }
  ByteRange range() const { return {begin, begin + bytes}; }

  std::size_t begin = 0;
  std::uint32_t bytes = 0;
  std::uint32_t value = 0;  // As TextReader gives it. Before kCompose the rank of a mark is in bits 24 to 30.
};

// A text as characters and the added tokens that are looked for before normalisation, with the spaces that these take.
class StrippedReader {
 public:
  explicit StrippedReader(const TextReader& text) : size_(text.left()), text_(text) {}

  Unit Next() {
    const std::size_t begin = size_ - text_.left();
    const std::uint32_t value = text_.Next();
    if (value < kNoCodePoint) {
      if (text_.left() < plain_ && IsWhiteSpace(value) && StripsLeft()) return Next();
      return {begin, static_cast<std::uint32_t>(size_ - text_.left() - begin), value};
    }
    if (value == TextReader::kEnd) return {begin, 0, value};
    const std::uint32_t number = value - TextReader::kFirstAdded;
    const Unit unit = {begin, static_cast<std::uint32_t>(size_ - text_.left() - begin), value};
    if ((text_.added().ids[number] & kStripsRight) != 0) {
      for (TextReader ahead = text_; IsWhiteSpace(ahead.Next());) text_ = ahead;
    }
    return unit;
  }

 private:
  // Moves behind the spaces of which the first was read, if a token that takes them follows.
  bool StripsLeft() {
    TextReader ahead = text_;
    std::size_t left = text_.left();
    TextReader before = ahead;
    std::uint32_t next = ahead.Next();
    for (; next < kNoCodePoint && IsWhiteSpace(next); next = ahead.Next()) {
      before = ahead;
      left = ahead.left();
    }
    plain_ = left;
    if (next <= TextReader::kEnd) return false;
    if ((text_.added().ids[next - TextReader::kFirstAdded] & kStripsLeft) == 0) return false;
    text_ = before;
    return true;
  }

  std::size_t size_;
  TextReader text_;
  std::size_t plain_ = SIZE_MAX;  // Spaces behind which at least so many bytes are left are not taken by a token.
};

// The characters of a text behind all steps, and added tokens and the end between them. Each piece between these is a
// text of its own to the steps. Copying one remembers a place. Allocates nothing.
class StepReader {
 public:
  StepReader(const StepTables& tables, const TextReader& text) : tables_(&tables), text_(text) {}

  Unit Next() { return Pull(tables_->size); }

 private:
  static constexpr std::size_t kMaxMarks = 64;
  static constexpr std::uint32_t kDone = ~0u;

  // What a step knows between two characters.
  struct State {
    std::array<Unit, kMaxPattern> held;
    Unit ahead;                           // The unit behind those held, where has_ahead.
    Unit source;                          // Stands for what is put instead.
    std::size_t plain = 0;                // kTrim: spaces that are known to stay. kCharsmap: a Stage.
    const std::uint32_t* pool = nullptr;  // kCharacters: next element of a replacement.
    std::uint32_t text = 0;               // kCharsmap: 1 and the place of the replacement under way.
    std::uint32_t ahead_entry = 0;        // kCharsmap
    std::uint32_t copied = kDone;         // Characters of the content that were given; kDone for all.
    std::uint8_t count = 0, next = 0, span = 0;
    bool has_ahead = false, started = false, in_long = false;
    ClusterBreaks breaks;
  };

  // The next unit behind the first `steps` steps.
  Unit Pull(std::size_t steps) {
    if (steps == 0) return text_.Next();
    const std::size_t below = steps - 1;
    State& state = states_[below];
    const Step& step = tables_->steps[below];
    switch (step.kind) {
      case Step::Kind::kCharacters:
        return NextOfCharacters(below, state);
      case Step::Kind::kCharsmap:
        return NextOfCharsmap(below, state);
      case Step::Kind::kReplace:
        return NextOfReplace(below, step, state);
      case Step::Kind::kCollapse:
        return NextOfCollapse(below, step, state);
      case Step::Kind::kTrim:
        return NextOfTrim(below, step, state);
      case Step::Kind::kPrefix:
        return NextOfPrefix(below, step, state);
      case Step::Kind::kCompose:
        break;
    }
    return NextOfCompose(below, step, state);
  }

  Unit Ahead(std::size_t below, State& state) {
    if (!state.has_ahead) return Pull(below);
    state.has_ahead = false;
    return state.ahead;
  }
  static void HoldAhead(State& state, const Unit& unit) {
    state.ahead = unit;
    state.has_ahead = true;
  }

  // Begins to give `content` for `source`; false when it is empty.
  static bool Copying(const Step& step, State& state, Unit& unit) {
    if (state.copied == kDone) return false;
    if (state.copied >= step.content.size()) {
      state.copied = kDone;
      return false;
    }
    unit = state.source;
    unit.value = step.content[state.copied++];
    return true;
  }

  Unit NextOfCharacters(std::size_t below, State& state);
  Unit NextOfCharsmap(std::size_t below, State& state);
  Unit NextOfReplace(std::size_t below, const Step& step, State& state);
  Unit NextOfCollapse(std::size_t below, const Step& step, State& state);
  Unit NextOfTrim(std::size_t below, const Step& step, State& state);
  Unit NextOfPrefix(std::size_t below, const Step& step, State& state);
  Unit NextOfCompose(std::size_t below, const Step& step, State& state);
  void ReadCluster(std::size_t below, State& state);

  const StepTables* tables_;
  StrippedReader text_;
  std::array<State, kMaxSteps> states_;
  // Of kCompose: a character and its marks.
  std::array<Unit, kMaxMarks> marks_;
  std::size_t num_marks_ = 0, next_mark_ = 0;
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_STEPS_H_
