// Packs weights into the kernels' layouts and writes them, strip by strip.

#ifndef THIMBLE_CONVERT_MATRIX_WRITER_H_
#define THIMBLE_CONVERT_MATRIX_WRITER_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "format/weight_format.h"
#include "format/writer.h"
#include "kernels/matrix.h"
#include "thimble/status.h"

namespace thimble::convert {

// One matrix of the model file.
struct MatrixSpec {
  std::string name;
  format::WeightFormat format = format::WeightFormat::kQ8;
  std::size_t outputs = 0;
  std::size_t inputs = 0;
  std::optional<kernels::Rotation> rotation;  // Of the inputs.
};

// One table of rows.
struct TableSpec {
  std::string name;
  format::WeightFormat format = format::WeightFormat::kQ8;
  std::size_t rows = 0;
  std::size_t width = 0;
};

// Reads `count` rows from `first` on: [count][width].
using ReadRows = std::function<Status(std::size_t first, std::span<float> out)>;

// Adds a tensor of one dimension to a layout; the weight and bias of a norm; the tensors of a matrix or table and their
// format.
void DeclareVector(const std::string& name, std::size_t size, format::ElementType type, format::Layout* layout);
void DeclareNorm(const std::string& name, std::size_t width, format::Layout* layout);
void Declare(const MatrixSpec& spec, format::Layout* layout);
void Declare(const TableSpec& spec, format::Layout* layout);

struct QuantizedMatrix;

// Writes the tensors that Declare announced, with the rows of `quantized` unless that is null. `read` is called for a
// few rows at a time. kUnsupported when a value does not fit into binary16 where the format needs it.
Status WriteMatrix(const MatrixSpec& spec, const ReadRows& read, const QuantizedMatrix* quantized,
                   std::span<const float> bias, format::Writer* writer);
Status WriteTable(const TableSpec& spec, const ReadRows& read, format::Writer* writer);

// Appends values to a tensor.
template <typename T>
Status AppendValues(const std::string& name, std::span<const T> values, format::Writer* writer) {
  return writer->Append(name, std::as_bytes(values));
}

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_MATRIX_WRITER_H_
