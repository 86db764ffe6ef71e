// The vectors of the two mocks: functions of a text alone, the same on every machine.

#ifndef THIMBLE_RUNTIME_MOCK_VECTORS_H_
#define THIMBLE_RUNTIME_MOCK_VECTORS_H_

#include <cstddef>
#include <span>
#include <string_view>

#include "thimble/embedder.h"

namespace thimble::runtime {

inline constexpr std::size_t kMockDimensions = 384;

// v[i] = sin(hash + i) * 0.1 in double precision, rounded to float; hash is the sum of the UTF-16 code units of `text`
// (UTF-8, invalid bytes count as U+FFFD), of prompt and text. `vector` has kMockDimensions values. Returns the number
// of code units.
std::size_t MockVector(std::string_view prompt, std::string_view text, std::span<float> vector);

// What HashedMockVector found of a text.
struct HashedMockTokens {
  std::size_t count = 0;   // In the vector, special tokens included.
  std::size_t mark = 0;    // Where the token numbered `mark_at` begins, where it was seen.
  bool truncated = false;  // Whether there were more.
};

// Signed hashed features of the words and their character 3-grams, summed over tokens; `vector` has kMockDimensions
// values and is not normalised. Tokens: one special token at either end; each run of letters, digits and characters
// beyond ASCII; each other character that is not a space. Of these at most `max_tokens`, at least 3. ASCII letters
// count as lower-case. Mean pooling divides by the number of tokens; the other poolings have features of their own.
// `prompt` goes before the text as if they were one; `mark_at` counts the tokens of both, the special ones not, from 0,
// and is of the text.
HashedMockTokens HashedMockVector(std::string_view prompt, std::string_view text, std::size_t max_tokens,
                                  Pooling pooling, std::span<float> vector, std::size_t mark_at = 0);

// How many tokens there are in all, special tokens included.
std::size_t CountMockTokens(std::string_view prompt, std::string_view text);

}  // namespace thimble::runtime

#endif  // THIMBLE_RUNTIME_MOCK_VECTORS_H_
