// The characters of a normalised text, with the added tokens that are looked for before normalisation and behind it.

#ifndef THIMBLE_TEXT_ITEMS_H_
#define THIMBLE_TEXT_ITEMS_H_

#include <cstddef>
#include <cstdint>

#include "text/added_tokens.h"
#include "text/normalizer.h"
#include "text/utf8.h"
#include "thimble/model.h"

namespace thimble::text {

// Copying one remembers a place. Allocates nothing.
class ItemReader {
 public:
  ItemReader(const NormalizerTables& tables, const TextReader& text)
      : added_(&text.added()), size_(text.left()), reader_(tables, text) {}

  Item Next() {
    if (added_->count == added_->raw) return reader_.Next();
    return NextOrAdded();
  }

  // The bytes of the text that `item`, which was read last, stands for.
  ByteRange RangeOf(const Item& item) const {
    const std::size_t end = size_ - reader_.text().left();
    if (item.kind != Item::Kind::kAdded) return {end - reader_.text().last_bytes(), end};
    return {item.value < added_->raw ? end - added_->Text(item.value).size() : match_begin_, end};
  }

 private:
  // The next item, or the longest added token whose normalised text begins with it.
  Item NextOrAdded() {
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

  // Whether a word character stands before the next item, or is the next of `behind`.
  bool TouchesWord(NormalizedReader behind) const {
    if (IsWordChar(*added_, previous_)) return true;
    Item item;
    do {
      item = behind.Next();
    } while (item.kind == Item::Kind::kBreak);
    return item.kind == Item::Kind::kCharacter && IsWordChar(*added_, item.value);
  }

  const AddedTables* added_;
  std::size_t size_;  // Bytes of the text.
  NormalizedReader reader_;
  std::uint32_t previous_ = kNoCodePoint;  // The character before the next item.
  std::size_t covered_ = 0;                // How many characters a token that did not count still covers.
  std::size_t match_begin_ = 0;            // Of the last token behind normalisation.
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_ITEMS_H_
