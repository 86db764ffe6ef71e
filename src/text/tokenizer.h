// BERT tokenization, exactly as the Rust `tokenizers` library does it, from tables compiled by convert/.

#ifndef THIMBLE_TEXT_TOKENIZER_H_
#define THIMBLE_TEXT_TOKENIZER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "text/normalizer.h"
#include "text/tables.h"
#include "thimble/status.h"

namespace thimble::text {

struct Encoded {
  std::size_t tokens = 0;  // Ids written, special tokens included.
  bool truncated = false;  // Whether the text had more.
};

// A view of compiled tables. Thread-safe; the tables must outlive it. Encoding allocates nothing.
class Tokenizer {
 public:
  // Checks the tables once, so that no text can make Encode read outside them or give an id of `vocabulary` or more.
  // kCorrupt, naming the table.
  static Result<Tokenizer> Create(const Tables& tables, std::size_t vocabulary);

  // Special tokens put around every text.
  std::size_t num_special() const;

  // Writes the ids of `text` (UTF-8, invalid bytes read as U+FFFD the way Python's errors="replace" does) into `ids`,
  // at most ids.size() of them, special tokens included; requires ids.size() > num_special(). Reads no further than the
  // first token that does not fit.
  Encoded Encode(std::string_view text, std::span<std::int32_t> ids) const;

 private:
  explicit Tokenizer(const Tables& tables);
  // The next item, where a token that is looked for in normalised text is one.
  Item NextMatching(NormalizedReader& reader) const;

  Tables tables_;
  std::uint32_t continuation_group_;  // Where the trie is entered for a piece that does not start a word.
  FirstBytes added_first_;            // Of the added tokens that are looked for before normalisation.
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_TOKENIZER_H_
