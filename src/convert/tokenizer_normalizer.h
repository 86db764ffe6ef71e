// Compiles BERT's normaliser, and the classes that its pre-tokenizer uses, into tables.

#ifndef THIMBLE_CONVERT_TOKENIZER_NORMALIZER_H_
#define THIMBLE_CONVERT_TOKENIZER_NORMALIZER_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/tables.h"
#include "thimble/status.h"

namespace thimble::convert {

// The options of BertNormalizer; all false is the same as no normaliser.
struct NormalizerOptions {
  bool clean_text = false;
  bool handle_chinese_chars = false;
  bool strip_accents = false;
  bool lowercase = false;
};

// Maps code points to characters of normalised text. The classes and what has a decomposition are those of the Rust
// library (unicode_ranges.inc); decompositions and lower case come from utf8proc.
class NormalizerCompiler {
 public:
  explicit NormalizerCompiler(const NormalizerOptions& options);

  // Fills the four arrays normalizer_*.
  Status Compile(text::OwnedTables& tables) const;

  // Normalised UTF-8 of valid UTF-8 `content`, which must leave no mark that could be reordered: kUnsupported
  // otherwise.
  Result<std::string> Normalize(std::string_view content) const;

  // Whether valid UTF-8 `text` starts or ends with white space.
  bool HasSpaceAtEdge(std::string_view text) const;

 private:
  using Elements = std::vector<std::uint32_t>;  // text::PoolElement, none marked as the last.
  Elements Expand(std::uint32_t code_point) const;
  text::CharClass ClassOf(std::uint32_t code_point) const;
  std::uint32_t Lower(std::uint32_t code_point) const;

  NormalizerOptions options_;
  std::vector<std::uint8_t> flags_;       // [code points]
  std::array<std::uint8_t, 256> rank_{};  // By combining class.
};

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_NORMALIZER_H_
