// Vectors as replies hold them: floats in decimal or base64, and their quantised forms.

#ifndef THIMBLE_SERVER_VECTOR_TEXT_H_
#define THIMBLE_SERVER_VECTOR_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "thimble/precision.h"
#include "thimble/status.h"

namespace thimble::server {

// Floats in decimal, or in base64 of their bytes; or the codes of Precision.
enum class Encoding { kFloat, kBase64, kInt8, kUint8, kBinary, kUbinary };

const char* EncodingName(Encoding encoding);

// Appends a vector as JSON, behind a comma where it needs one: an array, or a string for kBase64. With `packed`, the
// others are a string too: base64 of their bytes. `range` is that of int8 and uint8. False, with nothing appended, for
// a value that is not finite, or without the range.
bool AppendVector(std::span<const float> vector, Encoding encoding, bool packed, const CodeRange& range,
                  std::string& out);

// The range that one of these encodings needs; zeros where none does. The errors of FindCodeRange.
Result<CodeRange> RangeOf(std::span<const Encoding> encodings, const ModelInfo& info, const VectorOptions& options);

// Most bytes that AppendVector appends.
std::size_t VectorTextBytes(std::size_t dimensions, Encoding encoding);

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_VECTOR_TEXT_H_
