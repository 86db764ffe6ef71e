// Texts to token ids, exactly as the Rust `tokenizers` library does it, from tables compiled by convert/.

#ifndef THIMBLE_TEXT_TOKENIZER_H_
#define THIMBLE_TEXT_TOKENIZER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "text/kind.h"
#include "text/tables.h"
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

// A tokenizer of any kind. Thread-safe; the tables must outlive it. Encoding allocates nothing. Texts are UTF-8,
// invalid bytes read as U+FFFD the way Python's errors="replace" does. A prompt is valid UTF-8 and comes before a text
// as if it were its beginning.
class Tokenizer {
 public:
  // Checks the tables once, so that no text can make Encode read outside them or give an id of `vocabulary` or more.
  // kCorrupt, naming the table.
  static Result<Tokenizer> Create(std::shared_ptr<Kind> kind, std::size_t vocabulary);

  const Kind& kind() const { return *kind_; }
  // Special tokens before the text's own and behind them.
  TableSpan<std::uint32_t> prefix() const { return kind_->around.prefix.first(num_prefix()); }
  TableSpan<std::uint32_t> suffix() const { return kind_->around.suffix.first(kind_->around.suffix_count); }
  std::size_t num_prefix() const { return kind_->around.prefix_count; }
  std::size_t num_special() const { return num_prefix() + kind_->around.suffix_count; }
  // Special tokens between the texts of a pair; empty where the tokenizer takes no pairs. Prefix and suffix are around.
  TableSpan<std::uint32_t> middle() const { return kind_->around.middle.first(kind_->around.middle_count); }
  std::size_t num_pair_special() const { return num_special() + kind_->around.middle_count; }
  // Whether the tokens behind `middle` have token type 1.
  bool has_second_type() const { return kind_->around.second_type != 0; }
  // Whether a text that is too long loses its first tokens, not its last.
  bool truncates_left() const { return kind_->around.truncate_left != 0; }

  // Writes the ids of prompt and text into `ids`, at most ids.size() of them, special tokens included; requires
  // ids.size() > num_special(). Reads no further than the first token that does not fit, but to the end where the
  // tokenizer keeps the last tokens of a text that is too long.
  Encoded Encode(std::string_view prompt, std::string_view text, std::span<std::int32_t> ids,
                 Cut cut = Cut::kText) const;

  // How many ids there are in all, special tokens included.
  std::size_t Count(std::string_view prompt, std::string_view text) const;

  // Puts the special tokens around `count` ids that begin at ids[num_prefix()]; returns how many there are then.
  std::size_t AddSpecial(std::int32_t* ids, std::size_t count) const;

 private:
  friend class TokenReader;
  explicit Tokenizer(std::shared_ptr<const Kind> kind);
  // Encode where the last tokens are kept; `own` is where the text's own go.
  Encoded EncodeEnd(TokenReader& reader, std::span<std::int32_t> own, std::span<std::int32_t> ids) const;

  std::shared_ptr<const Kind> kind_;
  FirstBytes added_first_;  // Of the added tokens that are looked for before normalisation.
};

// The tokens of one text, without the special ones, in order: of each its id, whether it begins a word, and its place.
// Truncation, windows and lists of tokens are made of these. Thread-compatible; the tokenizer and the text must outlive
// it. Takes 17 KB, and nothing else.
class TokenReader {
 public:
  // With `ranges`, which must outlive it, it keeps track of where tokens are.
  TokenReader(const Tokenizer& tokenizer, std::string_view prompt, std::string_view text,
              TokenRanges* ranges = nullptr);
  TokenReader(const TokenReader&) = delete;
  TokenReader& operator=(const TokenReader&) = delete;

  // Writes the next ids; returns how many, fewer than ids.size() only at the end. `begins_word`, where given, is as
  // long and says of each id whether it is the first of a word. So is `ranges`, for a reader that keeps track, and has
  // the bytes of prompt and text, as one string, that each token stands for.
  std::size_t Read(std::span<std::int32_t> ids, std::uint8_t* begins_word = nullptr, ByteRange* ranges = nullptr);

  // Whether all was read. Reads ahead no further than it takes to know.
  bool AtEnd() { return next_ == run_.size && stream_->AtEnd(); }
  // Whether what comes next begins a word; requires !AtEnd().
  bool AtWord() const { return next_ == run_.size && run_.ends_word; }

 private:
  bool NextRun();

  StreamMemory memory_;
  TokenStream* const stream_;
  TokenRanges* const ranges_;
  Run run_;
  std::size_t next_ = 0;     // Of the run.
  bool begins_word_ = true;  // Whether the run does.
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_TOKENIZER_H_
