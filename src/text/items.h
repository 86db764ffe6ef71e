// The characters of a normalised text, with the added tokens that are looked for before normalisation and behind it.

#ifndef THIMBLE_TEXT_ITEMS_H_
#define THIMBLE_TEXT_ITEMS_H_

#include <cstddef>
#include <cstdint>

#include "text/added_tokens.h"
#include "text/normalizer.h"
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
  Item NextOrAdded();
  // Whether a word character stands before the next item, or is the next of `behind`.
  bool TouchesWord(NormalizedReader behind) const;

  const AddedTables* added_;
  std::size_t size_;  // Bytes of the text.
  NormalizedReader reader_;
  std::uint32_t previous_ = kNoCodePoint;  // The character before the next item.
  std::size_t covered_ = 0;                // How many characters a token that did not count still covers.
  std::size_t match_begin_ = 0;            // Of the last token behind normalisation.
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_ITEMS_H_
