// The names of what a model file says about codes of its vectors, which the converter writes and the runtime reads.

#ifndef THIMBLE_MODEL_CODE_TENSORS_H_
#define THIMBLE_MODEL_CODE_TENSORS_H_

#include <cstddef>
#include <string_view>

namespace thimble::model {

// Metadata: of the tensor, and the number of texts that it was measured with.
inline constexpr std::string_view kCodesHashKey = "codes.sha256";
inline constexpr std::string_view kCodesTextsKey = "codes.texts";

// F32 [CodesWidth], the last tensor of a file: for vectors of n dimensions, element n - 1 is the largest magnitude of a
// component where they have unit length. Zeros fill it up to whole cache lines.
inline constexpr std::string_view kCodesTensor = "codes.limits";
constexpr std::size_t CodesWidth(std::size_t dimensions) { return (dimensions + 15) / 16 * 16; }

}  // namespace thimble::model

#endif  // THIMBLE_MODEL_CODE_TENSORS_H_
