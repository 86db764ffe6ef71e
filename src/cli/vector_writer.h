// Writes vectors in the formats of `thimble embed`.

#ifndef THIMBLE_CLI_VECTOR_WRITER_H_
#define THIMBLE_CLI_VECTOR_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/output.h"
#include "thimble/embedder.h"
#include "thimble/precision.h"
#include "thimble/status.h"

namespace thimble::cli {

enum class VectorFormat {
  kJson,   // One array of objects.
  kJsonl,  // One object a line.
  kNpy,    // NumPy's file of an array [texts][dimensions] of float32, int8 or uint8; of bits [texts][bytes].
  kF32,    // The same without the header, little-endian, and of floats only.
  kRaw,    // The same of any precision.
};

// kInvalidArgument for a name other than json, jsonl, npy, f32, raw, and for f32 with another precision than float32.
Result<VectorFormat> ParseVectorFormat(std::string_view name, Precision precision);

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

// Thread-compatible; `output` must outlive it.
class VectorWriter {
 public:
  // `rows` is the number of vectors to come, where it is known. `chunks` has JSON say how many there were of each text.
  VectorWriter(Output& output, const VectorForm& form, std::size_t dimensions, std::optional<std::uint64_t> rows,
               bool chunks);

  // Writes what comes before the vectors. kInvalidArgument when the format needs a seekable output and has none.
  Status Begin();
  // In JSON an empty vector, of a text that could not be embedded, is null.
  Status Add(std::span<const float> vector, const VectorFacts& facts);
  Status Add(std::span<const float> vector, const Report& report) {
    return Add(vector, VectorFacts{report.tokens, report.truncated, report.chunks});
  }
  // Writes what comes after the vectors.
  Status End();

 private:
  Output& output_;
  const VectorForm form_;
  std::size_t dimensions_;
  std::optional<std::uint64_t> expected_rows_;
  bool chunks_;
  std::uint64_t rows_ = 0;
  std::string text_;              // Reused for each vector,
  std::vector<std::byte> codes_;  // and so are these.
};

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_VECTOR_WRITER_H_
