// Writes vectors in the formats of `thimble embed`.

#ifndef THIMBLE_CLI_VECTOR_WRITER_H_
#define THIMBLE_CLI_VECTOR_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "bulk/vector_rows.h"
#include "cli/output.h"
#include "thimble/embedder.h"
#include "thimble/precision.h"
#include "thimble/status.h"

namespace thimble::cli {

using bulk::RowEncoder;
using bulk::VectorFacts;
using bulk::VectorForm;
using bulk::VectorFormat;

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
  RowEncoder encoder_;
  std::uint64_t rows_ = 0;
  std::string row_;  // Reused for each vector.
};

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_VECTOR_WRITER_H_
