// Digits and codes of vectors.

#include "server/vector_text.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <iterator>

#include "base/base64.h"
#include "base/error.h"
#include "json/writer.h"

namespace thimble::server {
namespace {

static_assert(std::endian::native == std::endian::little, "base64 holds floats as they lie in memory");

Precision PrecisionOf(Encoding encoding) {
  // By Encoding.
  static constexpr Precision kPrecisions[] = {Precision::kFloat32, Precision::kFloat32, Precision::kInt8,
                                              Precision::kUint8,   Precision::kBinary,  Precision::kUbinary};
  return kPrecisions[static_cast<std::size_t>(encoding)];
}

}  // namespace

const char* EncodingName(Encoding encoding) {
  // By Encoding.
  static constexpr const char* kNames[] = {"float", "base64", "int8", "uint8", "binary", "ubinary"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Encoding::kUbinary) + 1);
  return kNames[static_cast<std::size_t>(encoding)];
}

bool AppendVector(std::span<const float> vector, Encoding encoding, bool packed, const CodeRange& range,
                  std::string& out) {
  if (!std::all_of(vector.begin(), vector.end(), [](float value) { return std::isfinite(value); })) return false;
  json::Writer writer(out);
  if (encoding == Encoding::kFloat) {
    writer.Floats(vector);
    return true;
  }
  const Precision precision = PrecisionOf(encoding);
  std::vector<std::byte> bytes(PrecisionBytes(precision, vector.size()));
  if (!Quantize(vector, vector.size(), precision, range, bytes).ok()) return false;
  if (packed || encoding == Encoding::kBase64) {
    writer.Open('"');
    base::AppendBase64(bytes, out);
    writer.Close('"');
    return true;
  }
  const bool is_signed = encoding == Encoding::kInt8 || encoding == Encoding::kBinary;
  writer.Open('[');
  for (const std::byte byte : bytes) {
    writer.Add(is_signed ? static_cast<std::int8_t>(byte) : std::to_integer<int>(byte));
  }
  writer.Close(']');
  return true;
}

Result<CodeRange> RangeOf(std::span<const Encoding> encodings, const ModelInfo& info, const VectorOptions& options) {
  CodeRange range;
  for (const Encoding encoding : encodings) {
    THIMBLE_ASSIGN_OR_RETURN(const CodeRange found, FindCodeRange(info, PrecisionOf(encoding), options));
    if (found != CodeRange()) range = found;
  }
  return range;
}

std::size_t VectorTextBytes(std::size_t dimensions, Encoding encoding) {
  if (encoding == Encoding::kFloat) return dimensions * 16 + 2;
  return dimensions * (encoding == Encoding::kBase64 ? 6 : 5) + 8;
}

}  // namespace thimble::server
