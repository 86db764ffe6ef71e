// Two texts as one sequence, cut to a limit as the Rust `tokenizers` library's longest_first does it.

#ifndef THIMBLE_TEXT_PAIRS_H_
#define THIMBLE_TEXT_PAIRS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/arena.h"
#include "text/tokenizer.h"

namespace thimble::text {

struct EncodedPair {
  std::size_t tokens = 0;  // Ids written, special tokens included.
  std::size_t second = 0;  // The first of them behind the middle: of the second text, or what follows it.
  bool truncated = false;  // Whether the texts had more.
};

// What two texts keep of `first` and `second` tokens where there is room for `room`.
struct PairShare {
  std::size_t first = 0, second = 0;
  bool operator==(const PairShare&) const = default;
};
PairShare ShareRoom(std::size_t first, std::size_t second, std::size_t room);

// One first text with any number of second ones. Thread-compatible; the tokenizer and the arena's memory must outlive
// it. Allocates nothing.
class Pairs {
 public:
  // `max_tokens` is above tokenizer.num_pair_special(). Takes its buffers from `arena`; with one that only counts, it
  // must not be used.
  Pairs(const Tokenizer& tokenizer, std::size_t max_tokens, Cut cut, base::Arena& arena);

  // The first text of the pairs that follow, read to its end.
  void SetFirst(std::string_view prompt, std::string_view text);
  // Writes the ids of the pair into `ids`, which has room for max_tokens. Reads `text` as far as the cut depends on it:
  // the limit, or one token more than the first text has, or all of it where the last tokens are kept.
  EncodedPair Encode(std::string_view text, std::int32_t* ids);
  // How many ids the pair has in all, special tokens included.
  std::size_t Count(std::string_view text) const;

 private:
  // Reads into `ids`, a buffer of room() tokens, those that could be kept, in order; returns how many there are in all,
  // or a number above `enough` and room().
  std::size_t Read(TokenReader& reader, std::int32_t* ids, std::size_t enough) const;
  std::size_t room() const { return cut_ == Cut::kAll ? max_tokens_ : max_tokens_ - tokenizer_.num_pair_special(); }

  const Tokenizer& tokenizer_;
  const std::size_t max_tokens_;
  const Cut cut_;
  std::int32_t* first_;   // [max_tokens]
  std::int32_t* second_;  // [max_tokens]
  std::size_t first_count_ = 0;
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_PAIRS_H_
