// Added tokens in a normalised text.

#include "text/word_reader.h"

#include "text/utf8.h"

namespace thimble::text {

Unit UnitReader::NextOrAdded() {
  const Unit unit = reader_.Next();
  if (unit.is_end()) {
    previous_ = kNoCodePoint;
    plain_ = 0;
    return unit;
  }
  if (IsWhiteSpace(unit.value)) {
    if (plain_ > 0) {
      --plain_;
    } else if (StripsLeft()) {
      return NextOrAdded();
    }
  }
  if (covered_ > 0) {
    --covered_;
    previous_ = unit.value;
    return unit;
  }
  Match match{reader_, 0, 0, 0, 0};
  if (!Find(unit, reader_, match)) {
    previous_ = unit.value;
    return unit;
  }
  const std::uint32_t flags = added_->ids[match.number];
  if ((flags & kSingleWord) != 0) {
    StepReader behind = match.behind;
    const Unit next = behind.Next();
    if (IsWordChar(*added_, previous_) || (!next.is_end() && IsWordChar(*added_, next.value))) {
      // As in the library, no other token starts in what this one covers.
      covered_ = match.characters - 1;
      previous_ = unit.value;
      return unit;
    }
  }
  reader_ = match.behind;
  previous_ = match.last;
  if ((flags & kStripsRight) != 0) SkipSpaces();
  return {unit.begin, static_cast<std::uint32_t>(match.end - unit.begin), TextReader::kFirstAdded + match.number};
}

bool UnitReader::Find(const Unit& unit, const StepReader& reader, Match& match) const {
  AddedSearch search(*added_, added_->raw, added_->count);
  const auto step = [&search](std::uint32_t value) {
    std::uint8_t utf8[4];
    const std::size_t bytes = EncodeUtf8(value, utf8);
    for (std::size_t i = 0; i < bytes; ++i) {
      if (!search.Step(utf8[i])) return false;
    }
    return true;
  };
  if (!step(unit.value)) return false;
  Unit last = unit;
  StepReader ahead = reader;
  std::size_t characters = 1;
  bool found = false;
  do {
    if (search.whole()) {
      match = {ahead, search.index(), last.value, characters, last.range().end};
      found = true;
    }
    last = ahead.Next();
    ++characters;
  } while (!last.is_end() && step(last.value));
  return found;
}

bool UnitReader::StripsLeft() {
  StepReader ahead = reader_, before = reader_;
  Unit next = ahead.Next();
  for (; !next.is_end() && IsWhiteSpace(next.value); next = ahead.Next()) {
    before = ahead;
    ++plain_;
  }
  Match match{ahead, 0, 0, 0, 0};
  if (next.is_end() || !Find(next, ahead, match) || (added_->ids[match.number] & kStripsLeft) == 0) return false;
  if ((added_->ids[match.number] & kSingleWord) != 0) {
    StepReader behind = match.behind;
    const Unit after = behind.Next();
    if (!after.is_end() && IsWordChar(*added_, after.value)) return false;
  }
  reader_ = before;
  previous_ = ' ';
  plain_ = 0;
  return true;
}

void UnitReader::SkipSpaces() {
  StepReader ahead = reader_;
  for (Unit next = ahead.Next(); !next.is_end() && IsWhiteSpace(next.value); next = ahead.Next()) {
    reader_ = ahead;
    previous_ = next.value;
  }
}

}  // namespace thimble::text
