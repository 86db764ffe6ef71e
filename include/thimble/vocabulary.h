// What token ids stand for.
//
//   auto tokens = model->Tokenize("unbelievable");
//   auto texts = thimble::TokenTexts(*model, tokens->ids);  // "[CLS]", "unbelievable", "[SEP]"
//   auto special = thimble::FindSpecialIds(*model);         // special->sep is 102

#ifndef THIMBLE_VOCABULARY_H_
#define THIMBLE_VOCABULARY_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble {

struct TokenText {
  std::string text;  // As the vocabulary has it: "##able" for a piece inside a word. Empty for an id without an entry.
  bool special = false;  // Whether it is one of those that are put around a text.
  // Whether it has a role: special, or for padding, masks or unknown words.
  bool control = false;
};

// The ids of tokens that have a role; unset where the model has none.
struct SpecialIds {
  std::optional<std::int32_t> cls;   // The first token before a text.
  std::optional<std::int32_t> sep;   // The last token behind it.
  std::optional<std::int32_t> unk;   // Stands for a word that the vocabulary has no pieces for.
  std::optional<std::int32_t> pad;   // The entry "[PAD]", or else "<pad>".
  std::optional<std::int32_t> mask;  // The entry "[MASK]", or else "<mask>".
};

// Thread-safe. kUnsupported for a mock.
Result<SpecialIds> FindSpecialIds(const Model& model);

// The entries of `ids`, in their order. Reads the whole vocabulary once, which takes about a millisecond. Thread-safe.
// kInvalidArgument for an id that the model's vocabulary does not reach, kUnsupported for a mock.
Result<std::vector<TokenText>> TokenTexts(const Model& model, std::span<const std::int32_t> ids);

// The text of tokens as the BERT decoder of the Rust `tokenizers` library writes it: pieces joined to words, and no
// space before punctuation. Control tokens are left out where `skip_special`.
std::string DecodeTokens(std::span<const TokenText> tokens, bool skip_special);

}  // namespace thimble

#endif  // THIMBLE_VOCABULARY_H_
