// What a tokenizer.json says of normalising a text and splitting it into words, as steps that act on one character
// each, and its compilation into tables.

#ifndef THIMBLE_CONVERT_TOKENIZER_NORMALIZER_H_
#define THIMBLE_CONVERT_TOKENIZER_NORMALIZER_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "convert/table_store.h"
#include "json/value.h"
#include "text/bpe.h"
#include "text/tables.h"
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

// Whether the library takes `code_point` for white space.
bool IsWhiteSpace(std::uint32_t code_point);

// Where runs of word characters, beside which no single_word token is seen, begin and end, in turn.
std::vector<std::uint32_t> WordCharBounds();

// Two characters and the one that composition makes of them; Hangul is left out.
struct CompositionPair {
  std::uint32_t first, second, composed;
};
std::vector<CompositionPair> CompositionPairs();

// What GPT-2's split takes each code point for.
std::vector<text::SplitClass> SplitClasses();

// Maps code points to characters of normalised text. The classes and what has a decomposition are those of the Rust
// library (unicode_ranges.inc); decompositions and lower case come from utf8proc.
class NormalizerCompiler {
 public:
  explicit NormalizerCompiler(const TokenizerRules& rules);

  Result<text::NormalizerTables> Compile(TableStore& store) const;

  // Normalised UTF-8 of valid UTF-8 `content`, which must leave no mark that could be reordered: kUnsupported
  // otherwise.
  Result<std::string> Normalize(std::string_view content) const;

  // Whether valid UTF-8 `text` starts or ends with white space.
  bool HasSpaceAtEdge(std::string_view text) const;

 private:
  using Elements = std::vector<std::uint32_t>;  // text::PoolElement, none marked as the last.
  // A character while the steps act on it.
  struct Part {
    std::uint32_t value = 0;
    std::uint8_t combining_class = 0;  // At the last ordering; 0 when there was none.
    bool is_break = false;             // No character: one of class 0 that was removed behind the ordering.
  };
  bool Has(NormalizerStep::Kind kind) const;
  bool Decomposes() const;
  bool Changes(std::uint32_t code_point) const;
  void Apply(const NormalizerStep& step, bool ordered, const Part& part, std::vector<Part>& parts) const;
  Elements Expand(std::uint32_t code_point) const;
  text::CharClass ClassOf(std::uint32_t code_point) const;
  std::uint32_t Lower(std::uint32_t code_point) const;

  TokenizerRules rules_;
  std::vector<std::uint16_t> flags_;      // [code points]
  std::array<std::uint8_t, 256> rank_{};  // By combining class.
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_NORMALIZER_H_
