// Vectors and their codes as JSON, JSON lines, NumPy arrays and raw bytes.

#include "cli/vector_writer.h"

#include "base/error.h"

namespace thimble::cli {

VectorWriter::VectorWriter(Output& output, const VectorForm& form, std::size_t dimensions,
                           std::optional<std::uint64_t> rows, bool chunks)
    : output_(output), form_(form), dimensions_(dimensions), expected_rows_(rows), encoder_(form, chunks) {}

Status VectorWriter::Begin() {
  if (form_.format == VectorFormat::kJson) return output_.Write("[");
  if (form_.format != VectorFormat::kNpy) return Status();
  if (!expected_rows_ && !output_.seekable()) {
    return Error(Code::kInvalidArgument, "--format npy: the file begins with the number of rows, which is known only ",
                 "at the end, and this output cannot be rewound; use -o FILE or --format raw");
  }
  return output_.Write(bulk::NpyHeader(expected_rows_.value_or(0), dimensions_, form_.precision));
}

Status VectorWriter::Add(std::span<const float> vector, const VectorFacts& facts) {
  ++rows_;
  row_.clear();
  if (form_.format == VectorFormat::kJson && rows_ > 1) row_ += ",\n";
  if (form_.format == VectorFormat::kJson || form_.format == VectorFormat::kJsonl) row_ += '{';
  THIMBLE_RETURN_IF_ERROR(encoder_.Append(row_, vector, facts));
  if (form_.format == VectorFormat::kJsonl) row_ += '\n';
  return output_.Write(row_);
}

Status VectorWriter::End() {
  if (form_.format == VectorFormat::kJson) return output_.Write("]\n");
  if (form_.format == VectorFormat::kNpy && rows_ != expected_rows_) {
    return output_.WriteAt(0, bulk::NpyHeader(rows_, dimensions_, form_.precision));
  }
  return Status();
}

}  // namespace thimble::cli
