// Texts of the converter as sequences that a model takes: each text alone, or for a model of pairs with the next one.

#ifndef THIMBLE_CONVERT_TEXT_SEQUENCES_H_
#define THIMBLE_CONVERT_TEXT_SEQUENCES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/arena.h"
#include "convert/forward.h"
#include "text/pairs.h"
#include "text/tokenizer.h"
#include "thimble/status.h"

namespace thimble::convert {

// A sequence of at most the limit; valid until the next.
struct TextSequence {
  std::span<const std::int32_t> ids;
  std::size_t second = 0;  // As in Sequences.
};

// Thread-compatible; the tokenizer must outlive it.
class TextSequences {
 public:
  // kOutOfMemory.
  static Result<TextSequences> Create(const text::Tokenizer& tokenizer, std::size_t max_tokens);

  // Of texts[index], or texts[index] and its successor, which of the last text is the first.
  TextSequence Next(std::span<const std::string_view> texts, std::size_t index);

 private:
  TextSequences(const text::Tokenizer& tokenizer, std::size_t max_tokens) : tokenizer_(&tokenizer), ids_(max_tokens) {}

  const text::Tokenizer* tokenizer_;
  std::vector<std::int32_t> ids_;
  base::Mapping memory_;
  std::optional<text::Pairs> pairs_;
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TEXT_SEQUENCES_H_
