// BERT tokenization, exactly as the Rust `tokenizers` library does it, from tables compiled by convert/.

#ifndef THIMBLE_TEXT_TOKENIZER_H_
#define THIMBLE_TEXT_TOKENIZER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "text/normalizer.h"
#include "text/ranges.h"
#include "text/tables.h"
#include "text/trie.h"
#include "text/word.h"
#include "thimble/status.h"

namespace thimble::text {

struct Encoded {
  std::size_t tokens = 0;  // Ids written, special tokens included.
  bool truncated = false;  // Whether the text had more.
};

// What a text that is too long loses.
enum class Cut {
  kText,  // Tokens of its own, at the end that the tokenizer states.
  kAll,   // Its last tokens, the special ones behind it first, as in transformers.js.
};

class TokenReader;

// A view of compiled tables. Thread-safe; the tables must outlive it. Encoding allocates nothing. Texts are UTF-8,
// invalid bytes read as U+FFFD the way Python's errors="replace" does. A prompt is valid UTF-8 and comes before a text
// as if it were its beginning.
class Tokenizer {
 public:
  // Checks the tables once, so that no text can make Encode read outside them or give an id of `vocabulary` or more.
  // kCorrupt, naming the table.
  static Result<Tokenizer> Create(const Tables& tables, std::size_t vocabulary);

  // Special tokens put around every text.
  std::size_t num_special() const;
  const Tables& tables() const { return tables_; }

  // Writes the ids of prompt and text into `ids`, at most ids.size() of them, special tokens included; requires
  // ids.size() > num_special(). Reads no further than the first token that does not fit, but to the end where the
  // tokenizer keeps the last tokens of a text that is too long.
  Encoded Encode(std::string_view prompt, std::string_view text, std::span<std::int32_t> ids,
                 Cut cut = Cut::kText) const;

  // How many ids there are in all, special tokens included.
  std::size_t Count(std::string_view prompt, std::string_view text) const;

  // Special tokens before the text's own; the others come behind.
  std::size_t num_prefix() const { return tables_.prefix_count; }
  // Puts the special tokens around `count` ids that begin at ids[num_prefix()]; returns how many there are then.
  std::size_t AddSpecial(std::int32_t* ids, std::size_t count) const;

 private:
  friend class TokenReader;
  explicit Tokenizer(const Tables& tables);
  // Encode where the last tokens are kept; `own` is where the text's own go.
  Encoded EncodeEnd(TokenReader& reader, std::span<std::int32_t> own, std::span<std::int32_t> ids) const;
  Tables tables_;
  std::uint32_t continuation_group_;  // Where the trie is entered for a piece that does not start a word.
  FirstBytes added_first_;            // Of the added tokens that are looked for before normalisation.
};

// The tokens of one text, without the special ones, in order. Thread-compatible; the tokenizer and the text must
// outlive it. Takes 12 KB, and nothing else.
class TokenReader {
 public:
  // With `ranges`, which must outlive it, it keeps track of where tokens are.
  TokenReader(const Tokenizer& tokenizer, std::string_view prompt, std::string_view text, WordRanges* ranges = nullptr);

  // Writes the next ids; returns how many, fewer than ids.size() only at the end. `begins_word`, where given, is as
  // long and says of each id whether it is the first of a word. So is `ranges`, for a reader that keeps track, and has
  // the bytes of prompt and text, as one string, that each token stands for.
  std::size_t Read(std::span<std::int32_t> ids, std::uint8_t* begins_word = nullptr, ByteRange* ranges = nullptr);

  // Whether all was read. Reads ahead no further than it takes to know.
  bool AtEnd();
  // Whether what comes next begins a word; requires !AtEnd().
  bool AtWord() const { return next_piece_ == num_pieces_; }

 private:
  // Finds the next word and its pieces; false at the end.
  bool NextWord();
  // The next item, where a token that is looked for in normalised text is one.
  Item NextItem();
  // The item that ended the last word; requires held_.
  Item TakeHeld();
  // The bytes of the last item of `reader_`.
  ByteRange LastRange(const Item& item) const;
  void Append(const Item& item);
  // Whether a word character stands before the next item, or is the next of `behind`.
  bool TouchesWord(NormalizedReader behind) const;
  void SplitWord();

  const Tokenizer& tokenizer_;
  const Trie trie_;
  const std::size_t size_;  // Bytes of prompt and text.
  NormalizedReader reader_;
  Word word_;
  WordRanges* const ranges_;
  std::optional<Item> held_;  // Ended the last word and belongs to the next.
  // Used where tokens are looked for in normalised text: the character before the next item in it, and how many
  // characters a token that did not count still covers.
  std::uint32_t previous_ = kNoCodePoint;
  std::size_t covered_ = 0;
  // Ids of the word in hand. A piece is a character or more, but for damaged tables.
  std::array<std::uint32_t, kMaxWordChars> pieces_;
  std::size_t num_pieces_ = 0;
  std::size_t next_piece_ = 0;
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_TOKENIZER_H_
