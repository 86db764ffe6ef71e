// The list of the kinds of tokenizers.

#ifndef THIMBLE_TEXT_KINDS_H_
#define THIMBLE_TEXT_KINDS_H_

#include <memory>
#include <string_view>

#include "text/bpe.h"
#include "text/unigram.h"
#include "text/wordpiece.h"

// Calls KIND(Name) for each: the class text::Name here, and convert::MakeNameReader for its sources.
#define THIMBLE_TOKENIZER_KINDS(KIND) KIND(WordPiece) KIND(Bpe) KIND(Unigram)

namespace thimble::text {

// That of model files that name none.
inline constexpr std::string_view kUnnamedKind = WordPiece::kName;

// A kind with empty tables, which the caller fills; null for an unknown name.
inline std::shared_ptr<Kind> MakeKind(std::string_view name) {
#define THIMBLE_MAKE_KIND(Name) \
  if (name == Name::kName) return std::make_shared<Name>();
  THIMBLE_TOKENIZER_KINDS(THIMBLE_MAKE_KIND)
#undef THIMBLE_MAKE_KIND
  return nullptr;
}

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_KINDS_H_
