// Vectors as JSON, JSON lines, NumPy arrays and raw floats.

#include "cli/vector_writer.h"

#include <bit>

#include "base/error.h"
#include "json/writer.h"

namespace thimble::cli {
namespace {

static_assert(std::endian::native == std::endian::little, "npy and f32 are written as they lie in memory");

constexpr std::size_t kNpyHeaderBytes = 128;  // A multiple of 64, and enough for any number of rows.

std::string NpyHeader(std::uint64_t rows, std::size_t dimensions) {
  std::string header("\x93NUMPY\x01\x00", 8);
  constexpr std::size_t kRest = kNpyHeaderBytes - 10;
  header += static_cast<char>(kRest & 0xFF);
  header += static_cast<char>(kRest >> 8);
  header += "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(rows) + ", " +
            std::to_string(dimensions) + "), }";
  header.resize(kNpyHeaderBytes - 1, ' ');
  return header + '\n';
}

}  // namespace

Result<VectorFormat> ParseVectorFormat(std::string_view name) {
  if (name == "json") return VectorFormat::kJson;
  if (name == "jsonl") return VectorFormat::kJsonl;
  if (name == "npy") return VectorFormat::kNpy;
  if (name == "f32") return VectorFormat::kF32;
  return Error(Code::kInvalidArgument, "--format: expected json, jsonl, npy or f32, found \"", name, "\"");
}

VectorWriter::VectorWriter(Output& output, VectorFormat format, std::size_t dimensions,
                           std::optional<std::uint64_t> rows, bool chunks)
    : output_(output), format_(format), dimensions_(dimensions), expected_rows_(rows), chunks_(chunks) {}

Status VectorWriter::Begin() {
  if (format_ == VectorFormat::kJson) return output_.Write("[");
  if (format_ != VectorFormat::kNpy) return Status();
  if (!expected_rows_ && !output_.seekable()) {
    return Error(Code::kInvalidArgument, "--format npy: the file begins with the number of rows, which is known only ",
                 "at the end, and this output cannot be rewound; use -o FILE or --format f32");
  }
  return output_.Write(NpyHeader(expected_rows_.value_or(0), dimensions_));
}

Status VectorWriter::Add(std::span<const float> vector, const VectorFacts& facts) {
  ++rows_;
  if (format_ == VectorFormat::kNpy || format_ == VectorFormat::kF32) {
    return output_.Write({reinterpret_cast<const char*>(vector.data()), vector.size_bytes()});
  }
  text_.clear();
  if (format_ == VectorFormat::kJson && rows_ > 1) text_ += ",\n";
  json::Writer writer(text_);
  writer.Open('{').Key("embedding");
  if (vector.empty()) {
    writer.Add(nullptr);
  } else {
    writer.Floats(vector);
  }
  writer.Member("tokens", facts.tokens ? json::Value(*facts.tokens) : json::Value());
  writer.Member("truncated", facts.truncated ? json::Value(*facts.truncated) : json::Value());
  if (chunks_) writer.Member("chunks", facts.chunks);
  writer.Close('}');
  if (format_ == VectorFormat::kJsonl) text_ += '\n';
  return output_.Write(text_);
}

Status VectorWriter::End() {
  if (format_ == VectorFormat::kJson) return output_.Write("]\n");
  if (format_ == VectorFormat::kNpy && rows_ != expected_rows_) {
    return output_.WriteAt(0, NpyHeader(rows_, dimensions_));
  }
  return Status();
}

}  // namespace thimble::cli
