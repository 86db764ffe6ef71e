// How alike texts are for a model that have nothing to do with each other.

#ifndef THIMBLE_CONVERT_UNRELATED_H_
#define THIMBLE_CONVERT_UNRELATED_H_

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "convert/forward.h"
#include "text/tokenizer.h"

namespace thimble::convert {

// Texts of one language, each on another subject.
struct UnrelatedTexts {
  std::vector<std::string_view> texts;
  // Characters (code points) that a token has on average, at least, if a tokenizer knows the language: others cut its
  // words into letters, and then texts are alike because they are in that language.
  double least_token = 0;
};
std::vector<UnrelatedTexts> AllUnrelatedTexts();

// Sequences, language after language.
struct UnrelatedSequences {
  Sequences sequences;
  std::vector<std::size_t> counts;  // Of the languages that the tokenizer knows; of the first if it knows none.
};
UnrelatedSequences MakeUnrelated(const text::Tokenizer& tokenizer, std::size_t max_tokens);

// The cosines of all pairs within each language of `vectors`, [sequences][dimensions], ascending.
std::vector<double> UnrelatedCosines(std::span<const float> vectors, std::span<const std::size_t> counts,
                                     std::size_t dimensions);
// The value that a share of ascending values, which are not none, is below: linear between neighbours.
double Quantile(std::span<const double> ascending, double share);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_UNRELATED_H_
