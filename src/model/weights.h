// The weights of a model file: names turned into typed, checked views of the mapping.

#ifndef THIMBLE_MODEL_WEIGHTS_H_
#define THIMBLE_MODEL_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "format/reader.h"
#include "kernels/matrix.h"
#include "model/head.h"
#include "model/program.h"
#include "text/tokenizer.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::model {

// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta; both [hidden].
struct NormWeights {
  const float* gamma = nullptr;
  const float* beta = nullptr;
};

// The word table, whose rows are read from the file and not from its mapping: a text needs few of them, but a mapping
// brings in pages and more around each, and would soon have all of a table that is half of a small model.
struct WordTable {
  kernels::Table table;  // [vocabulary][H]; `values` are not to be touched.
  const base::FileMap* file = nullptr;
  std::uint64_t offset = 0;  // Of the values in the file.
  std::size_t row_bytes = 0;

  // Copies the rows of `ids`, each below the vocabulary, to `rows`. kIo when the file cannot be read.
  Status Read(std::span<const std::int32_t> ids, std::byte* rows) const;
};

// Views into a Reader, which must outlive them and stay where it is. Thread-safe.
struct Weights {
  ModelInfo info;
  Program program;
  bool int8 = false;  // Whether activations are int8 or float.

  text::Tokenizer tokenizer;
  WordTable words;
  kernels::Table positions;  // [position_rows()][H]
  const float* embedding_offset =
      nullptr;                           // [H], part of every token: token type 0, and what positions have in common.
  const float* second_offset = nullptr;  // [H] the same with token type 1; null where there is none.
  NormWeights embedding_norm;
  const float* relative_bias = nullptr;   // [heads][BiasRowFloats(relative_reach)] in log2 units; null for none.
  std::vector<kernels::Matrix> matrices;  // Of each layer, in the order of its steps.
  std::vector<NormWeights> norms;         // The same.
  HeadSpec head;
  std::vector<HeadWeights> head_weights;  // One for each module.

  // Of a step of a layer.
  const kernels::Matrix& matrix(std::size_t layer, const Step& step) const {
    return matrices[layer * program.matrices + step.index];
  }
  const NormWeights& norm(std::size_t layer, const Step& step) const {
    return norms[layer * program.norms + step.index];
  }

  // kCorrupt when a value or a tensor is missing, out of range or of the wrong shape; kUnsupported for an architecture
  // or a format that this build does not know.
  static Result<Weights> Load(const format::Reader& reader);

 private:
  Weights(const Architecture& architecture, const text::Tokenizer& t) : program(architecture), tokenizer(t) {}
};

}  // namespace thimble::model

#endif  // THIMBLE_MODEL_WEIGHTS_H_
