// Vectors as replies hold them: floats in decimal or base64, and their quantised forms.

#ifndef THIMBLE_SERVER_VECTOR_TEXT_H_
#define THIMBLE_SERVER_VECTOR_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace thimble::server {

// int8 is round(127 v / m), m the largest |v| of the vector, and uint8 the same plus 128. ubinary has a bit for each
// value, 1 where it is above 0, the first in the highest bit of the first byte and zeros behind the last; binary is
// ubinary minus 128, as a signed byte.
enum class Encoding { kFloat, kBase64, kInt8, kUint8, kBinary, kUbinary };

const char* EncodingName(Encoding encoding);

// Appends a vector as JSON, behind a comma where it needs one: an array, or a string for kBase64. With `packed`, the
// others are a string too: base64 of their bytes. False, with nothing appended, for a value that is not finite.
bool AppendVector(std::span<const float> vector, Encoding encoding, bool packed, std::string& out);

// Most bytes that AppendVector appends.
std::size_t VectorTextBytes(std::size_t dimensions, Encoding encoding);

// Cuts each of the vectors [count][width] to its first `dimensions` values, and gives it unit length where `normalize`.
void CutVectors(std::vector<float>& vectors, std::size_t width, std::size_t dimensions, bool normalize);

}  // namespace thimble::server

#endif  // THIMBLE_SERVER_VECTOR_TEXT_H_
