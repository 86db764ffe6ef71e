// The names of a receipt in a model file, which the converter writes and the runtime reads.

#ifndef THIMBLE_MODEL_RECEIPT_TENSORS_H_
#define THIMBLE_MODEL_RECEIPT_TENSORS_H_

#include <string_view>

namespace thimble::model {

// Metadata.
inline constexpr std::string_view kWeightsHashKey = "weights.sha256";  // Of the data before kGoldenTextsTensor.
inline constexpr std::string_view kSourceHashKey = "receipt.source_sha256";
inline constexpr std::string_view kTokenizerHashKey = "receipt.tokenizer_sha256";
inline constexpr std::string_view kRecipeKey = "receipt.recipe";
inline constexpr std::string_view kCalibrationKey = "receipt.calibration";
inline constexpr std::string_view kTextsKey = "receipt.texts";
inline constexpr std::string_view kCosineMeanKey = "receipt.cosine_mean";
inline constexpr std::string_view kCosineP1Key = "receipt.cosine_p1";
inline constexpr std::string_view kCosineMinKey = "receipt.cosine_min";
// Of all pairs of texts on different subjects: how many there are, and what kUnrelatedShares of their cosines are
// below.
inline constexpr std::string_view kUnrelatedPairsKey = "receipt.unrelated_pairs";
inline constexpr std::string_view kUnrelatedCosinesKey = "receipt.unrelated_cosines";  // Separated by spaces.
inline constexpr double kUnrelatedShares[] = {0,   0.01, 0.05, 0.1,   0.25,  0.5,    0.75,
                                              0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 1};
inline constexpr std::string_view kScoreErrorKey = "receipt.score_error_max";  // Of a model for pairs.
inline constexpr std::string_view kNotePrefix = "receipt.note.";               // And a number.
inline constexpr std::string_view kGoldensKey = "receipt.goldens";

// Tensors, the last of a file.
inline constexpr std::string_view kGoldenTextsTensor = "receipt.golden_texts";      // U8, each text and a zero byte.
inline constexpr std::string_view kGoldenVectorsTensor = "receipt.golden_vectors";  // F32 [goldens, GoldenWidth]

// Floats of a golden vector, the last of which are zeros where that makes the tensor whole cache lines.
constexpr std::size_t GoldenWidth(std::size_t dimensions) { return (dimensions + 3) / 4 * 4; }

}  // namespace thimble::model

#endif  // THIMBLE_MODEL_RECEIPT_TENSORS_H_
