// Codes of vectors, and the identities of their spaces.

#include "thimble/precision.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>

#include "base/error.h"
#include "base/guard.h"
#include "base/sha256.h"
#include "kernels/half.h"
#include "runtime/engine.h"

namespace thimble::inline v0_1 {
namespace {

constexpr std::string_view kPrecisionNames[] = {"float32", "float16", "int8",
                                                "uint8",   "binary",  "ubinary"};  // By Precision.
constexpr std::size_t kBits = 8;

bool HasRange(Precision precision) { return precision == Precision::kInt8 || precision == Precision::kUint8; }

// Half a step below -128 and above 126: what floor() then gives is the nearest code, and 0 is in the middle of its own.
CodeRange RangeOf(float largest) {
  const float step = largest / 126.5f;
  return {-128.5f * step, 126.5f * step};
}

}  // namespace

std::string_view PrecisionName(Precision precision) { return kPrecisionNames[static_cast<std::size_t>(precision)]; }

Result<Precision> ParsePrecision(std::string_view name) {
  const auto* found = std::find(std::begin(kPrecisionNames), std::end(kPrecisionNames), name);
  if (found != std::end(kPrecisionNames)) return static_cast<Precision>(found - std::begin(kPrecisionNames));
  return base::Guarded([&] {
    return Error(Code::kInvalidArgument, "`precision`: expected float32, float16, int8, uint8, binary or ubinary, ",
                 "found \"", name, "\"");
  });
}

std::size_t PrecisionBytes(Precision precision, std::size_t dimensions) {
  if (precision == Precision::kFloat32) return dimensions * sizeof(float);
  if (precision == Precision::kFloat16) return dimensions * sizeof(std::uint16_t);
  return HasRange(precision) ? dimensions : (dimensions + kBits - 1) / kBits;
}

Result<CodeRange> FindCodeRange(const ModelInfo& info, Precision precision, const VectorOptions& options) {
  return base::Guarded([&]() -> Result<CodeRange> {
    THIMBLE_ASSIGN_OR_RETURN(const std::size_t dimensions, runtime::ResolveDimensions(info, options.dimensions));
    if (!HasRange(precision)) return CodeRange();
    const std::string_view name = PrecisionName(precision);
    if (info.component_limits.size() < dimensions) {
      return Error(Code::kUnsupported, "`precision` ", name, ": the file of ", info.name,
                   " has no range of its components, because an older converter made it; convert or pull the model ",
                   "again, or use binary or ubinary");
    }
    if (!options.normalize.value_or(info.normalize)) {
      return Error(Code::kInvalidArgument, "`precision` ", name, ": only for vectors of unit length; set `normalize` ",
                   "to true, or use binary or ubinary");
    }
    if (options.pooling && info.pooling != std::vector<Pooling>{*options.pooling}) {
      return Error(Code::kInvalidArgument, "`precision` ", name, ": only for the pooling of ", info.name,
                   info.pooling.empty() ? ", which states none" : ", " + PoolingNames(info.pooling),
                   "; use binary or ubinary");
    }
    return RangeOf(info.component_limits[dimensions - 1]);
  });
}

Status Quantize(std::span<const float> vectors, std::size_t dimensions, Precision precision, const CodeRange& range,
                std::span<std::byte> codes) {
  const std::size_t count = dimensions == 0 ? 0 : vectors.size() / dimensions;
  const std::size_t bytes = PrecisionBytes(precision, dimensions);
  if (count * dimensions != vectors.size() || codes.size() != count * bytes ||
      (HasRange(precision) && !(range.start < range.end))) {
    return base::Guarded([&] {
      return Error(Code::kInvalidArgument, "Quantize: expected whole vectors of ", dimensions, " floats, ",
                   count * bytes, " bytes for codes and a range that is not empty, found ", vectors.size(), " floats, ",
                   codes.size(), " bytes", HasRange(precision) && !(range.start < range.end) ? ", no range" : "");
    });
  }
  auto* out = reinterpret_cast<std::uint8_t*>(codes.data());
  if (precision == Precision::kFloat32) {
    if (!vectors.empty()) std::memcpy(out, vectors.data(), vectors.size_bytes());
    return Status();
  }
  if (precision == Precision::kFloat16) {
    for (const float value : vectors) {
      const std::uint16_t half = kernels::FloatToHalf(value);
      std::memcpy(out, &half, sizeof half);
      out += sizeof half;
    }
    return Status();
  }
  if (HasRange(precision)) {
    const float step = (range.end - range.start) / 255;
    const int offset = precision == Precision::kInt8 ? 128 : 0;
    for (const float value : vectors) {
      const float code = std::floor((value - range.start) / step);
      *out++ = static_cast<std::uint8_t>((code > 0 ? static_cast<int>(std::min(code, 255.0f)) : 0) - offset);
    }
    return Status();
  }
  const unsigned offset = precision == Precision::kBinary ? 128 : 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::span<const float> vector = vectors.subspan(i * dimensions, dimensions);
    for (std::size_t begin = 0; begin < dimensions; begin += kBits) {
      unsigned byte = 0;
      for (std::size_t k = begin; k < std::min(begin + kBits, dimensions); ++k) {
        if (vector[k] > 0) byte |= 128u >> (k - begin);
      }
      *out++ = static_cast<std::uint8_t>(byte - offset);
    }
  }
  return Status();
}

Result<std::string> SpaceFingerprint(const ModelInfo& info, const VectorOptions& options, Precision precision) {
  return base::Guarded([&]() -> Result<std::string> {
    THIMBLE_ASSIGN_OR_RETURN(const std::size_t dimensions, runtime::ResolveDimensions(info, options.dimensions));
    THIMBLE_ASSIGN_OR_RETURN(const CodeRange range, FindCodeRange(info, precision, options));
    if (info.fingerprint.empty()) return std::string();
    if (dimensions == info.dimensions && precision == Precision::kFloat32) return info.fingerprint;
    base::Sha256 hash;
    hash.Update("fingerprint=" + info.fingerprint + "\ndimensions=" + std::to_string(dimensions) + "\n");
    if (dimensions < info.dimensions && info.layer_norm_before_cut) hash.Update("layer_norm_before_cut=true\n");
    hash.Update("precision=" + std::string(PrecisionName(precision)) + "\n");
    if (HasRange(precision)) hash.Update("end=" + std::to_string(std::bit_cast<std::uint32_t>(range.end)) + "\n");
    return hash.Hex().substr(0, info.fingerprint.size());
  });
}

}  // namespace thimble::inline v0_1
