// Ranges of the components of vectors, which make the codes of a model the same everywhere.

#ifndef THIMBLE_CONVERT_CODE_LIMITS_H_
#define THIMBLE_CONVERT_CODE_LIMITS_H_

#include <cstddef>
#include <span>
#include <vector>

#include "convert/forward.h"
#include "format/writer.h"
#include "model/weights.h"
#include "thimble/status.h"

namespace thimble::convert {

// Adds the tensor, which comes last, and room in the header.
void DeclareCodeLimits(std::size_t dimensions, format::Layout* layout);
// Appends zeros in its place, which a reader takes for a file without limits.
Status AppendCodeLimits(std::size_t dimensions, format::Writer* writer);

// The texts to measure with: all that are built in, without a prompt and with each of the model's in turn.
Sequences CodeSequences(const model::Weights& weights);
// Overwrites the tensor with the limits of their vectors, [sequences][dimensions], and writes the metadata.
Status WriteCodeLimits(const model::Weights& weights, std::span<const float> vectors, format::Writer* writer);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_CODE_LIMITS_H_
