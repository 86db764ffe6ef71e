// What token ids stand for.
//
//   auto tokens = model->Tokenize("unbelievable");
//   auto texts = thimble::TokenTexts(*model, tokens->ids);  // "[CLS]", "unbelievable", "[SEP]"

#ifndef THIMBLE_VOCABULARY_H_
#define THIMBLE_VOCABULARY_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble {

struct TokenText {
  std::string text;  // As the vocabulary has it: "##able" for a piece inside a word. Empty for an id without an entry.
  bool special = false;  // Whether it is one of those that are put around a text.
};

// The entries of `ids`, in their order. Reads the whole vocabulary once, which takes about a millisecond. Thread-safe.
// kInvalidArgument for an id that the model's vocabulary does not reach, kUnsupported for a mock.
Result<std::vector<TokenText>> TokenTexts(const Model& model, std::span<const std::int32_t> ids);

// The text of tokens as the BERT decoder of the Rust `tokenizers` library writes it: pieces joined to words, and no
// space before punctuation. Special tokens are left out where `skip_special`.
std::string DecodeTokens(std::span<const TokenText> tokens, bool skip_special);

}  // namespace thimble

#endif  // THIMBLE_VOCABULARY_H_
