// Looking for added tokens in normalised text.

#include "text/items.h"

#include "text/utf8.h"

namespace thimble::text {

Item ItemReader::NextOrAdded() {
  NormalizedReader ahead = reader_;
  const Item next = reader_.Next();
  if (next.kind == Item::Kind::kAdded) previous_ = kNoCodePoint;
  if (next.kind != Item::Kind::kCharacter) return next;
  if (covered_ > 0) {
    --covered_;
    previous_ = next.value;
    return next;
  }
  AddedSearch search(*added_, added_->raw, added_->count);
  NormalizedReader behind = reader_;
  std::uint32_t match = added_->count, last = 0;
  std::size_t characters = 0, length = 0;
  for (bool matching = true; matching;) {
    const Item item = ahead.Next();
    if (item.kind == Item::Kind::kBreak) continue;
    if (item.kind != Item::Kind::kCharacter) break;
    ++characters;
    std::uint8_t utf8[4];
    const std::size_t bytes = EncodeUtf8(item.value, utf8);
    for (std::size_t i = 0; i < bytes && matching; ++i) matching = search.Step(utf8[i]);
    if (!matching || !search.whole()) continue;
    match = search.index();
    last = item.value;
    length = characters;
    behind = ahead;
  }
  if (match == added_->count) {
    previous_ = next.value;
    return next;
  }
  if ((added_->ids[match] & kSingleWord) != 0 && TouchesWord(behind)) {
    // As in the library, no other token starts in what this one covers.
    covered_ = length - 1;
    previous_ = next.value;
    return next;
  }
  match_begin_ = RangeOf(next).begin;
  reader_ = behind;
  previous_ = last;
  return AddedItem(match);
}

bool ItemReader::TouchesWord(NormalizedReader behind) const {
  if (IsWordChar(*added_, previous_)) return true;
  Item item;
  do {
    item = behind.Next();
  } while (item.kind == Item::Kind::kBreak);
  return item.kind == Item::Kind::kCharacter && IsWordChar(*added_, item.value);
}

}  // namespace thimble::text
