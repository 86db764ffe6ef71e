// Digits and bits of vectors.

#include "server/vector_text.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>

#include "base/base64.h"
#include "json/writer.h"

namespace thimble::server {
namespace {

static_assert(std::endian::native == std::endian::little, "base64 holds floats as they lie in memory");

// The bytes of a quantised vector, as unsigned ones.
std::vector<std::uint8_t> Quantize(std::span<const float> vector, Encoding encoding) {
  std::vector<std::uint8_t> bytes;
  if (encoding == Encoding::kBinary || encoding == Encoding::kUbinary) {
    bytes.resize((vector.size() + 7) / 8);
    for (std::size_t i = 0; i < vector.size(); ++i) {
      if (vector[i] > 0) bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | 128 >> i % 8);
    }
    const unsigned offset = encoding == Encoding::kBinary ? 128 : 0;
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(byte - offset);
    return bytes;
  }
  float most = 0;
  for (float value : vector) most = std::max(most, std::fabs(value));
  const int offset = encoding == Encoding::kUint8 ? 128 : 0;
  bytes.reserve(vector.size());
  for (float value : vector) {
    const long rounded = most == 0 ? 0 : std::lround(127.0 * static_cast<double>(value) / static_cast<double>(most));
    bytes.push_back(static_cast<std::uint8_t>(rounded + offset));
  }
  return bytes;
}

}  // namespace

const char* EncodingName(Encoding encoding) {
  // By Encoding.
  static constexpr const char* kNames[] = {"float", "base64", "int8", "uint8", "binary", "ubinary"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Encoding::kUbinary) + 1);
  return kNames[static_cast<std::size_t>(encoding)];
}

bool AppendVector(std::span<const float> vector, Encoding encoding, bool packed, std::string& out) {
  if (!std::all_of(vector.begin(), vector.end(), [](float value) { return std::isfinite(value); })) return false;
  json::Writer writer(out);
  if (encoding == Encoding::kFloat) {
    writer.Floats(vector);
    return true;
  }
  std::vector<std::uint8_t> bytes;
  if (encoding != Encoding::kBase64) bytes = Quantize(vector, encoding);
  if (packed || encoding == Encoding::kBase64) {
    writer.Open('"');
    base::AppendBase64(encoding == Encoding::kBase64 ? std::as_bytes(vector) : std::as_bytes(std::span(bytes)), out);
    writer.Close('"');
    return true;
  }
  const bool is_signed = encoding == Encoding::kInt8 || encoding == Encoding::kBinary;
  writer.Open('[');
  for (const std::uint8_t byte : bytes) writer.Add(is_signed ? static_cast<std::int8_t>(byte) : int{byte});
  writer.Close(']');
  return true;
}

std::size_t VectorTextBytes(std::size_t dimensions, Encoding encoding) {
  if (encoding == Encoding::kFloat) return dimensions * 16 + 2;
  return dimensions * (encoding == Encoding::kBase64 ? 6 : 5) + 8;
}

void CutVectors(std::vector<float>& vectors, std::size_t width, std::size_t dimensions, bool normalize) {
  const std::size_t count = vectors.size() / width;
  for (std::size_t i = 0; i < count; ++i) {
    float* to = vectors.data() + i * dimensions;
    std::copy_n(vectors.data() + i * width, dimensions, to);
    if (!normalize) continue;
    double squares = 0;
    for (std::size_t k = 0; k < dimensions; ++k) squares += static_cast<double>(to[k]) * static_cast<double>(to[k]);
    if (squares == 0) continue;
    const double scale = 1 / std::sqrt(squares);
    for (std::size_t k = 0; k < dimensions; ++k) to[k] = static_cast<float>(static_cast<double>(to[k]) * scale);
  }
  vectors.resize(count * dimensions);
}

}  // namespace thimble::server
