// The weights of a model file: names turned into typed, checked views of the mapping.

#ifndef THIMBLE_MODEL_WEIGHTS_H_
#define THIMBLE_MODEL_WEIGHTS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "format/reader.h"
#include "kernels/kernels.h"
#include "kernels/matrix.h"
#include "model/head.h"
#include "text/tokenizer.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::inline v0_1 {

// y = (x - mean) / sqrt(variance + epsilon) * gamma + beta; both [hidden].
struct NormWeights {
  const float* gamma = nullptr;
  const float* beta = nullptr;
};

// One transformer layer; H hidden, F intermediate.
struct LayerWeights {
  kernels::Matrix qkv;               // [3H][H]: for each head its query, key and value; scores come out in log2 units.
  kernels::Matrix attention_output;  // [H][H]
  NormWeights attention_norm;
  kernels::Matrix ffn_in;   // [F][H]
  kernels::Matrix ffn_out;  // [H][F]
  NormWeights ffn_norm;
};

// The word table, whose rows are read from the file and not from its mapping: a text needs few of them, but a mapping
// brings in pages and more around each, and would soon have all of a table that is half of a small model.
struct WordTable {
  kernels::Table table;  // [vocabulary][H]; `values` are not to be touched.
  const FileMap* file = nullptr;
  std::uint64_t offset = 0;  // Of the values in the file.
  std::size_t row_bytes = 0;

  // Copies the rows of `ids`, each below the vocabulary, to `rows`. kIo when the file cannot be read.
  Status Read(std::span<const std::int32_t> ids, std::byte* rows) const;
};

// Views into a Reader, which must outlive them and stay where it is. Thread-safe.
struct Weights {
  ModelInfo info;
  std::size_t hidden = 0;
  std::size_t intermediate = 0;
  std::size_t head_width = 0;
  float layer_norm_epsilon = 0;
  kernels::Activation activation = kernels::Activation::kGelu;  // Of the feed-forward network.
  bool int8 = false;                        // Whether activations are int8 (q8, q6, q4) or float (fp32, fp16).
  kernels::Rotation hidden_rotation;        // Of the inputs of qkv and ffn_in; int8 only.
  kernels::Rotation intermediate_rotation;  // Of the inputs of ffn_out; int8 only.

  text::Tokenizer tokenizer;
  WordTable words;
  kernels::Table positions;  // [positions][H]
  const float* embedding_offset =
      nullptr;  // [H], part of every token: token type 0, and what positions have in common.
  NormWeights embedding_norm;
  std::vector<LayerWeights> layers;
  HeadSpec head;
  std::vector<HeadWeights> head_weights;  // One for each module.

  // kCorrupt when a value or a tensor is missing, out of range or of the wrong shape; kUnsupported for an architecture
  // or a format that this build does not know.
  static Result<Weights> Load(const format::Reader& reader);

 private:
  explicit Weights(const text::Tokenizer& t) : tokenizer(t) {}
};

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_MODEL_WEIGHTS_H_
