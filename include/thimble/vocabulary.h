// From token ids back to text.
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

#include "thimble/export.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::inline v0_1 {

// How the entries of a tokenizer are put together to a text.
enum class Joining : std::uint8_t {
  kWordPiece,  // A space before each but the first and those that begin with "##".
  kMetaspace,  // One after the other, U+2581 is a space.
  kByteLevel,  // One after the other, each character is a byte as GPT-2 writes it: U+0120 is a space.
};

struct TokenText {
  std::string text;      // Entry of the vocabulary, "##able" for a piece inside a word. Empty for an id without entry.
  bool special = false;  // Whether it is one of the tokens around a text.
  bool control = false;  // Whether it is one of these, or the token for padding, masks or unknown words.
  Joining joining = Joining::kWordPiece;  // The same for all tokens of a model.
};

// The ids of tokens with a role; unset if the model has none.
struct SpecialIds {
  std::optional<std::int32_t> cls;   // The first token before a text.
  std::optional<std::int32_t> sep;   // The last token after it.
  std::optional<std::int32_t> unk;   // Stands for a word that the vocabulary has no pieces for.
  std::optional<std::int32_t> pad;   // The entry "[PAD]" or "<pad>"; where both are there, that in the style of cls.
  std::optional<std::int32_t> mask;  // Likewise "[MASK]" or "<mask>".
};

// Thread-safe. kUnsupported for a mock.
THIMBLE_API Result<SpecialIds> FindSpecialIds(const Model& model);

// The entries of `ids`, in this order. Reads the whole vocabulary once, which takes about a millisecond. Thread-safe.
// kInvalidArgument for an id beyond the model's vocabulary, kUnsupported for a mock.
THIMBLE_API Result<std::vector<TokenText>> TokenTexts(const Model& model, std::span<const std::int32_t> ids);

// The text of tokens as the decoder of the Rust `tokenizers` library produces it for their kind: WordPiece's are joined
// to words, without spaces before punctuation; bytes that are not UTF-8 become U+FFFD. `skip_special` leaves control
// tokens out.
THIMBLE_API std::string DecodeTokens(std::span<const TokenText> tokens, bool skip_special);

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_VOCABULARY_H_
