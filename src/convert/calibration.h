// What the rounding of weights is fitted to: sequences of random token ids, and texts.

#ifndef THIMBLE_CONVERT_CALIBRATION_H_
#define THIMBLE_CONVERT_CALIBRATION_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "convert/forward.h"
#include "text/tokenizer.h"
#include "thimble/status.h"

namespace thimble::convert {

struct CalibrationSet {
  Sequences fit;     // What GPTQ sees,
  Sequences unseen;  // and what its result is checked on.
  std::string description;
};

// The lines of a text file that is compiled in.
std::vector<std::string_view> CalibrationTexts();
std::vector<std::string_view> ReceiptTexts();

// Random ids, and the texts of `file`, one a line, or thimble's own where `file` is empty. `longest` is the most tokens
// of a sequence. Of a file, what exceeds kMaxTextTokens tokens or kMaxFileBytes bytes is left out. kInvalidArgument
// when it holds no text; kNotFound or kIo when it cannot be read.
inline constexpr std::size_t kMaxTextTokens = 12288;
inline constexpr std::size_t kMaxFileBytes = 4 << 20;
Result<CalibrationSet> MakeCalibration(const text::Tokenizer& tokenizer, std::size_t vocabulary, std::size_t longest,
                                       const std::string& file);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_CALIBRATION_H_
