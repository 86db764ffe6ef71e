// The bytes of vectors in files: NumPy's header, and one row.

#ifndef THIMBLE_BULK_VECTOR_ROWS_H_
#define THIMBLE_BULK_VECTOR_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "thimble/embedder.h"
#include "thimble/precision.h"
#include "thimble/status.h"

namespace thimble::bulk {

enum class VectorFormat {
  kJson,   // One array of objects.
  kJsonl,  // One object a line.
  kNpy,    // NumPy's file of an array [texts][dimensions] of float32, float16, int8 or uint8; of bits [texts][bytes].
  kF32,    // The same without the header, little-endian, and of float32 only.
  kRaw,    // The same of any precision.
};

// kInvalidArgument for a name other than json, jsonl, npy, f32, raw, and for f32 with another precision than float32.
Result<VectorFormat> ParseVectorFormat(std::string_view name, Precision precision);
std::string_view VectorFormatName(VectorFormat format);
// What the name of a file ends in, and jsonl for other names. kUnsupported for Parquet and Arrow; otherwise the errors
// of ParseVectorFormat.
Result<VectorFormat> VectorFormatOf(std::string_view path, Precision precision);

// What is written of a vector.
struct VectorForm {
  VectorFormat format = VectorFormat::kJsonl;
  Precision precision = Precision::kFloat32;
  CodeRange range = {};  // Of the precision, if it needs one.
};

// What JSON says of a text beside its vector; null for what is unset.
struct VectorFacts {
  std::optional<std::size_t> tokens = {};
  std::optional<bool> truncated = {};
  std::size_t chunks = 1;
};

inline constexpr std::size_t kNpyHeaderBytes = 128;  // A multiple of 64, and enough for any number of rows.
std::string NpyHeader(std::uint64_t rows, std::size_t dimensions, Precision precision);

// Thread-compatible.
class RowEncoder {
 public:
  // `chunks` has JSON say how many there were of each text.
  RowEncoder(const VectorForm& form, bool chunks) : form_(form), chunks_(chunks) {}

  // Appends a row to `out`: its bytes, or the members of its object and the closing brace. In JSON an empty vector, of
  // a text that could not be embedded, is null.
  Status Append(std::string& out, std::span<const float> vector, const VectorFacts& facts);

 private:
  const VectorForm form_;
  const bool chunks_;
  std::vector<std::byte> codes_;  // Reused for each vector,
  std::vector<float> floats_;     // and so are these.
};

}  // namespace thimble::bulk

#endif  // THIMBLE_BULK_VECTOR_ROWS_H_
