// What a tokenizer.json says of normalising a text and splitting it into words, as steps that act on one character
// each.

#ifndef THIMBLE_CONVERT_TOKENIZER_RULES_H_
#define THIMBLE_CONVERT_TOKENIZER_RULES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "json/value.h"
#include "thimble/status.h"

namespace thimble::convert {

struct NormalizerStep {
  enum class Kind : std::uint8_t {
    kCleanText,            // BertNormalizer's clean_text.
    kSpaceChinese,         // Its handle_chinese_chars.
    kDecompose,            // NFD.
    kDecomposeCompatibly,  // NFKD.
    kDropNonspacing,       // What strip_accents removes.
    kDropMarks,            // What StripAccents removes.
    kLowercase,
    kReplace,
  };
  Kind kind;
  std::uint32_t from = 0;         // Of kReplace.
  std::vector<std::uint32_t> to;  // Of kReplace.
};

struct TokenizerRules {
  std::vector<NormalizerStep> steps;
  bool trims = false;                 // Spaces at the ends of a text are removed.
  bool isolates_punctuation = false;  // Each punctuation character is a word.
};

// Reads the parts "normalizer" and "pre_tokenizer" of `root`. kCorrupt when they are malformed; kUnsupported for what
// the steps cannot say exactly, such as text that stays composed. `path` names the source in messages.
Result<TokenizerRules> ReadRules(const json::Value& root, const std::string& path);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_RULES_H_
