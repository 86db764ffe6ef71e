// The weights of the modules behind the encoder, in fp32, and their way into a model file.

#ifndef THIMBLE_CONVERT_HEAD_SOURCE_H_
#define THIMBLE_CONVERT_HEAD_SOURCE_H_

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "convert/matrix_writer.h"
#include "convert/source.h"
#include "format/writer.h"
#include "kernels/matrix.h"
#include "model/head.h"
#include "thimble/status.h"

namespace thimble::convert {

// A matrix with outputs and inputs filled up with zeros, by rows and as the kernels take it.
struct HeadMatrix {
  std::size_t outputs = 0, inputs = 0;
  std::vector<float> rows;    // [outputs][inputs]
  std::vector<float> strips;  // [outputs / 16][inputs][16]
  std::vector<float> bias;    // [outputs]

  kernels::Matrix view() const;
};

// Move-only: views point into it.
struct HeadSource {
  struct Module {
    HeadMatrix dense, residual;
    std::vector<float> gamma, beta;
  };
  model::HeadSpec spec;
  std::vector<Module> modules;
  std::vector<model::HeadWeights> views;  // Of each module.

  HeadSource() = default;
  HeadSource(HeadSource&&) = default;
  HeadSource& operator=(HeadSource&&) = default;
};

// Reads what the modules of `spec` need from their `folders` inside `source` or, where that is empty, from the
// encoder's own file: of an ONNX graph, or under `tensors`, the names of a classifier's matrices. kNotFound for a
// module without weights, and the errors of Source.
Result<HeadSource> ReadHead(const model::HeadSpec& spec, const std::string& source,
                            std::span<const std::string> folders, std::span<const std::string> tensors,
                            const Source& encoder);

// Adds the metadata and tensors of a head to a layout, the matrices in `format`, which is fp32 or fp16.
// Without `pooling_stated`, the pooling is left for calls to name.
void DeclareHead(const HeadSource& head, bool pooling_stated, kernels::WeightFormat format, format::Layout* layout);
// Writes them.
Status WriteHead(const HeadSource& head, kernels::WeightFormat format, format::Writer* writer);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_HEAD_SOURCE_H_
