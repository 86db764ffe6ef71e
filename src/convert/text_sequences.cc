// Sequences of texts and of pairs.

#include "convert/text_sequences.h"

#include <utility>

#include "base/error.h"

namespace thimble::convert {

Result<TextSequences> TextSequences::Create(const text::Tokenizer& tokenizer, std::size_t max_tokens) {
  TextSequences made(tokenizer, max_tokens);
  if (tokenizer.middle().empty()) return made;
  base::Arena measure;
  (void)text::Pairs(tokenizer, max_tokens, text::Cut::kText, measure);
  THIMBLE_ASSIGN_OR_RETURN(made.memory_, base::Mapping::Create(measure.used()));
  base::Arena arena(made.memory_.bytes());
  made.pairs_.emplace(tokenizer, max_tokens, text::Cut::kText, arena);
  return made;
}

TextSequence TextSequences::Next(std::span<const std::string_view> texts, std::size_t index) {
  if (!pairs_) {
    const std::size_t count = tokenizer_->Encode({}, texts[index], ids_).tokens;
    return {std::span(ids_).first(count), count};
  }
  pairs_->SetFirst({}, texts[index]);
  const text::EncodedPair pair = pairs_->Encode(texts[(index + 1) % texts.size()], ids_.data());
  return {std::span(ids_).first(pair.tokens), pair.second};
}

}  // namespace thimble::convert
