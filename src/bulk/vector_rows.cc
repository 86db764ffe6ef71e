// Vectors and their codes as JSON, NumPy arrays and raw bytes.

#include "bulk/vector_rows.h"

#include <bit>
#include <cstring>

#include "base/error.h"
#include "bulk/records.h"
#include "json/writer.h"
#include "kernels/half.h"

namespace thimble::bulk {
namespace {

static_assert(std::endian::native == std::endian::little, "npy and f32 are written as they lie in memory");

// By VectorFormat.
constexpr std::string_view kFormatNames[] = {"json", "jsonl", "npy", "f32", "raw"};

bool IsSigned(Precision precision) { return precision == Precision::kInt8 || precision == Precision::kBinary; }

// NumPy's name of an element.
const char* ElementOf(Precision precision) {
  if (precision == Precision::kFloat32) return "<f4";
  if (precision == Precision::kFloat16) return "<f2";
  return IsSigned(precision) ? "|i1" : "|u1";
}

}  // namespace

Result<VectorFormat> ParseVectorFormat(std::string_view name, Precision precision) {
  if (name == "f32" && precision != Precision::kFloat32) {
    return Error(Code::kInvalidArgument, "`format` f32: only for floats, found `precision` ", PrecisionName(precision),
                 "; use raw");
  }
  for (std::size_t i = 0; i < std::size(kFormatNames); ++i) {
    if (name == kFormatNames[i]) return static_cast<VectorFormat>(i);
  }
  return Error(Code::kInvalidArgument, "`format`: expected json, jsonl, npy, f32 or raw, found \"", name, "\"");
}

std::string_view VectorFormatName(VectorFormat format) { return kFormatNames[static_cast<std::size_t>(format)]; }

Result<VectorFormat> VectorFormatOf(std::string_view path, Precision precision) {
  for (std::string_view name : {".parquet", ".arrow", ".feather"}) {
    if (HasExtension(path, name)) {
      return Error(Code::kUnsupported, path, ": ", name.substr(1),
                   " files are read and written by thimble.bulk of the ",
                   "Python package, with pyarrow; use .npy, .jsonl, .f32 or .raw here");
    }
  }
  if (HasExtension(path, ".csv") || HasExtension(path, ".tsv")) {
    return Error(Code::kUnsupported, path, ": vectors are not written as columns; use .npy, .jsonl, .f32 or .raw");
  }
  for (std::string_view name : kFormatNames) {
    if (HasExtension(path, "." + std::string(name))) return ParseVectorFormat(name, precision);
  }
  return VectorFormat::kJsonl;
}

std::string NpyHeader(std::uint64_t rows, std::size_t dimensions, Precision precision) {
  const bool floats = precision == Precision::kFloat32 || precision == Precision::kFloat16;
  const std::size_t elements = floats ? dimensions : PrecisionBytes(precision, dimensions);
  std::string header("\x93NUMPY\x01\x00", 8);
  constexpr std::size_t kRest = kNpyHeaderBytes - 10;
  header += static_cast<char>(kRest & 0xFF);
  header += static_cast<char>(kRest >> 8);
  header += "{'descr': '" + std::string(ElementOf(precision)) + "', 'fortran_order': False, 'shape': (" +
            std::to_string(rows) + ", " + std::to_string(elements) + "), }";
  header.resize(kNpyHeaderBytes - 1, ' ');
  return header + '\n';
}

Status RowEncoder::Append(std::string& out, std::span<const float> vector, const VectorFacts& facts) {
  const bool as_json = form_.format == VectorFormat::kJson || form_.format == VectorFormat::kJsonl;
  const bool as_codes = form_.precision != Precision::kFloat32;
  if (as_codes) {
    codes_.resize(PrecisionBytes(form_.precision, vector.size()));
    THIMBLE_RETURN_IF_ERROR(Quantize(vector, vector.size(), form_.precision, form_.range, codes_));
  }
  if (!as_json) {
    const auto bytes = as_codes ? std::span<const std::byte>(codes_) : std::as_bytes(vector);
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Status();
  }
  json::Writer writer(out);
  writer.Key("embedding");
  if (vector.empty()) {
    writer.Add(nullptr);
  } else if (form_.precision == Precision::kFloat16) {
    floats_.resize(vector.size());
    for (std::size_t i = 0; i < floats_.size(); ++i) {
      std::uint16_t half;
      std::memcpy(&half, codes_.data() + i * sizeof half, sizeof half);
      floats_[i] = kernels::HalfToFloat(half);
    }
    writer.Floats(floats_);
  } else if (as_codes) {
    writer.Open('[');
    for (const std::byte code : codes_) {
      writer.Add(IsSigned(form_.precision) ? static_cast<std::int8_t>(code) : std::to_integer<int>(code));
    }
    writer.Close(']');
  } else {
    writer.Floats(vector);
  }
  writer.Member("tokens", facts.tokens ? json::Value(*facts.tokens) : json::Value());
  writer.Member("truncated", facts.truncated ? json::Value(*facts.truncated) : json::Value());
  if (chunks_) writer.Member("chunks", facts.chunks);
  writer.Close('}');
  return Status();
}

}  // namespace thimble::bulk
