// Smaller forms of vectors, named and computed as by quantize_embeddings of sentence-transformers.
//
//   auto range = thimble::FindCodeRange((*model)->info(), thimble::Precision::kInt8);
//   if (!range.ok()) return range.status();
//   std::vector<std::byte> codes(thimble::PrecisionBytes(thimble::Precision::kInt8, vector.size()));
//   thimble::Status status = thimble::Quantize(vector, vector.size(), thimble::Precision::kInt8, *range, codes);

#ifndef THIMBLE_PRECISION_H_
#define THIMBLE_PRECISION_H_

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "thimble/embedder.h"
#include "thimble/export.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::inline v0_1 {

enum class Precision {
  kFloat32,
  kFloat16,  // IEEE 754 binary16, rounded to nearest, halves to even; little-endian.
  kInt8,     // A signed byte for each component, proportional to it: cosines of codes are those of the vectors.
  kUint8,    // The same plus 128, as unsigned bytes.
  kBinary,   // kUbinary minus 128, as signed bytes.
  // A bit for each component, 1 if it is above 0, the first in the highest bit of the first byte; zeros fill up the
  // last byte. As numpy.packbits.
  kUbinary,
};

// "float32", "float16", "int8", "uint8", "binary" or "ubinary".
THIMBLE_API std::string_view PrecisionName(Precision precision);
// kInvalidArgument for any other name.
THIMBLE_API Result<Precision> ParsePrecision(std::string_view name);
// Bytes of a vector of so many components.
THIMBLE_API std::size_t PrecisionBytes(Precision precision, std::size_t dimensions);

// The values that the codes of int8 and uint8 span, the same for each component: `ranges` of quantize_embeddings is
// start, repeated, over end, repeated. A step of codes is (end - start) / 255, and the code of 0 is 0, of kUint8 128.
struct CodeRange {
  float start = 0, end = 0;
  bool operator==(const CodeRange&) const = default;
};

// The range for vectors that a call with these options gives, as the converter measured it for this model, dtype and
// length. Zeros for other precisions than int8 and uint8, which need none. kInvalidArgument unless the vectors have
// unit length and the model's own pooling, for which it was measured; kUnsupported if the model file has none, because
// an older converter made it.
THIMBLE_API Result<CodeRange> FindCodeRange(const ModelInfo& info, Precision precision,
                                            const VectorOptions& options = {});

// Writes the codes of `vectors`, [vectors.size() / dimensions][dimensions], one vector after the other, each
// PrecisionBytes long. int8 and uint8 are floor((x - start) / step), where values beyond the range get the code of its
// end. Allocates nothing. kInvalidArgument for spans of other sizes, and for an empty range where one is needed.
THIMBLE_API Status Quantize(std::span<const float> vectors, std::size_t dimensions, Precision precision,
                            const CodeRange& range, std::span<std::byte> codes);

// Identity of the space of the vectors that a call with these options and precision gives, of which only `dimensions`
// counts: ModelInfo::fingerprint for whole vectors of floats, and otherwise another one for each length, precision and
// range. Empty if the model has none. kInvalidArgument for more dimensions than the model has; the errors of
// FindCodeRange.
THIMBLE_API Result<std::string> SpaceFingerprint(const ModelInfo& info, const VectorOptions& options,
                                                 Precision precision = Precision::kFloat32);

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_PRECISION_H_
