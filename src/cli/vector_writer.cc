// Vectors and their codes as JSON, JSON lines, NumPy arrays and raw bytes.

#include "cli/vector_writer.h"

#include <bit>

#include "base/error.h"
#include "json/writer.h"

namespace thimble::cli {
namespace {

static_assert(std::endian::native == std::endian::little, "npy and f32 are written as they lie in memory");

constexpr std::size_t kNpyHeaderBytes = 128;  // A multiple of 64, and enough for any number of rows.

// NumPy's name of an element.
const char* ElementOf(Precision precision) {
  if (precision == Precision::kFloat32) return "<f4";
  return precision == Precision::kInt8 || precision == Precision::kBinary ? "|i1" : "|u1";
}

std::string NpyHeader(std::uint64_t rows, std::size_t dimensions, Precision precision) {
  const std::size_t elements = precision == Precision::kFloat32 ? dimensions : PrecisionBytes(precision, dimensions);
  std::string header("\x93NUMPY\x01\x00", 8);
  constexpr std::size_t kRest = kNpyHeaderBytes - 10;
  header += static_cast<char>(kRest & 0xFF);
  header += static_cast<char>(kRest >> 8);
  header += "{'descr': '" + std::string(ElementOf(precision)) + "', 'fortran_order': False, 'shape': (" +
            std::to_string(rows) + ", " + std::to_string(elements) + "), }";
  header.resize(kNpyHeaderBytes - 1, ' ');
  return header + '\n';
}

}  // namespace

Result<VectorFormat> ParseVectorFormat(std::string_view name, Precision precision) {
  if (name == "json") return VectorFormat::kJson;
  if (name == "jsonl") return VectorFormat::kJsonl;
  if (name == "npy") return VectorFormat::kNpy;
  if (name == "raw") return VectorFormat::kRaw;
  if (name == "f32" && precision == Precision::kFloat32) return VectorFormat::kF32;
  if (name == "f32") {
    return Error(Code::kInvalidArgument, "--format f32: only for floats, found --precision ", PrecisionName(precision),
                 "; use raw");
  }
  return Error(Code::kInvalidArgument, "--format: expected json, jsonl, npy, f32 or raw, found \"", name, "\"");
}

VectorWriter::VectorWriter(Output& output, const VectorForm& form, std::size_t dimensions,
                           std::optional<std::uint64_t> rows, bool chunks)
    : output_(output), form_(form), dimensions_(dimensions), expected_rows_(rows), chunks_(chunks) {}

Status VectorWriter::Begin() {
  if (form_.format == VectorFormat::kJson) return output_.Write("[");
  if (form_.format != VectorFormat::kNpy) return Status();
  if (!expected_rows_ && !output_.seekable()) {
    return Error(Code::kInvalidArgument, "--format npy: the file begins with the number of rows, which is known only ",
                 "at the end, and this output cannot be rewound; use -o FILE or --format raw");
  }
  return output_.Write(NpyHeader(expected_rows_.value_or(0), dimensions_, form_.precision));
}

Status VectorWriter::Add(std::span<const float> vector, const VectorFacts& facts) {
  ++rows_;
  const bool as_json = form_.format == VectorFormat::kJson || form_.format == VectorFormat::kJsonl;
  const bool as_codes = form_.precision != Precision::kFloat32;
  if (as_codes) {
    codes_.resize(PrecisionBytes(form_.precision, vector.size()));
    THIMBLE_RETURN_IF_ERROR(Quantize(vector, vector.size(), form_.precision, form_.range, codes_));
  }
  if (!as_json) {
    const auto bytes = as_codes ? std::span<const std::byte>(codes_) : std::as_bytes(vector);
    return output_.Write({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  text_.clear();
  if (form_.format == VectorFormat::kJson && rows_ > 1) text_ += ",\n";
  json::Writer writer(text_);
  writer.Open('{').Key("embedding");
  if (vector.empty()) {
    writer.Add(nullptr);
  } else if (as_codes) {
    const bool is_signed = form_.precision == Precision::kInt8 || form_.precision == Precision::kBinary;
    writer.Open('[');
    for (const std::byte code : codes_) {
      writer.Add(is_signed ? static_cast<std::int8_t>(code) : std::to_integer<int>(code));
    }
    writer.Close(']');
  } else {
    writer.Floats(vector);
  }
  writer.Member("tokens", facts.tokens ? json::Value(*facts.tokens) : json::Value());
  writer.Member("truncated", facts.truncated ? json::Value(*facts.truncated) : json::Value());
  if (chunks_) writer.Member("chunks", facts.chunks);
  writer.Close('}');
  if (form_.format == VectorFormat::kJsonl) text_ += '\n';
  return output_.Write(text_);
}

Status VectorWriter::End() {
  if (form_.format == VectorFormat::kJson) return output_.Write("]\n");
  if (form_.format == VectorFormat::kNpy && rows_ != expected_rows_) {
    return output_.WriteAt(0, NpyHeader(rows_, dimensions_, form_.precision));
  }
  return Status();
}

}  // namespace thimble::cli
