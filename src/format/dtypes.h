// The one table of dtypes: how the parts of a model are stored under each name.

#ifndef THIMBLE_FORMAT_DTYPES_H_
#define THIMBLE_FORMAT_DTYPES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "format/weight_format.h"
#include "thimble/status.h"

namespace thimble::format {

enum class Dtype : std::uint8_t { kFp32, kFp16, kQ8, kQ6, kQ4, kQ4Small };

struct DtypeFormats {
  std::string_view name;
  WeightFormat matrices;  // Of the layers but the last.
  // The last layer writes what is pooled: with 8 bits there the error of q4 halves. Most of that is its attention's.
  WeightFormat last_attention, last_feed_forward;
  WeightFormat words;      // Of a vocabulary that is not large; see WordsFormat.
  WeightFormat positions;  // Added to the words, with at least as many bits.
  WeightFormat head;       // Of Dense modules, whose inputs are float.

  // Whether activations are int8, and weights rounded with calibration.
  constexpr bool int8() const { return IsInteger(matrices); }
};

// Words of so many rows are most of a file: with int8 activations they are stored in q4, whatever the dtype says.
inline constexpr std::size_t kLargeVocabulary = 100'000;

// In the order of Dtype, from the largest file to the smallest.
inline constexpr auto kDtypes = [] {
  using enum WeightFormat;
  return std::to_array<DtypeFormats>({{"fp32", kF32, kF32, kF32, kF32, kF32, kF32},
                                      {"fp16", kF16, kF16, kF16, kF16, kF16, kF16},
                                      {"q8", kQ8, kQ8, kQ8, kQ8, kQ8, kF16},
                                      {"q6", kQ6, kQ8, kQ8, kQ6, kQ8, kF16},
                                      {"q4", kQ4, kQ8, kQ8, kQ6, kQ8, kF16},
                                      {"q4-small", kQ4, kQ8, kQ4, kQ4, kQ6, kF16}});
}();

constexpr const DtypeFormats& FormatsOf(Dtype dtype) { return kDtypes[static_cast<std::size_t>(dtype)]; }
constexpr WeightFormat WordsFormat(const DtypeFormats& formats, std::size_t vocabulary) {
  return formats.int8() && vocabulary >= kLargeVocabulary ? WeightFormat::kQ4 : formats.words;
}
constexpr std::string_view DtypeName(Dtype dtype) { return FormatsOf(dtype).name; }

// Null for a name that is not in the table.
const DtypeFormats* FindDtype(std::string_view name);
// kInvalidArgument for a name that is not in the table.
Result<Dtype> ParseDtype(std::string_view name);

// "fp32, fp16, q8, q6, q4 or q4-small".
std::string DtypeNames();
// The names of the formats that products with int8 activations take, or of those that float ones do.
std::string WeightFormatNames(bool integer);

}  // namespace thimble::format

#endif  // THIMBLE_FORMAT_DTYPES_H_
