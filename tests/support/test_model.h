// Small Hugging Face folders with seeded random weights, so that the whole pipeline is tested without a download.

#ifndef THIMBLE_TESTS_TEST_MODEL_H_
#define THIMBLE_TESTS_TEST_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "format/dtypes.h"
#include "format/safetensors.h"
#include "tests/support/files.h"
#include "thimble/status.h"

namespace thimble::test {

struct TestModelOptions {
  std::size_t hidden = 64;
  std::size_t layers = 2;
  std::size_t heads = 2;
  std::size_t intermediate = 128;
  std::size_t positions = 128;
  std::size_t max_seq_length = 64;
  std::size_t tokenizer_max_length = 0;                  // Where tokenizer.json truncates; 0 for nowhere.
  std::size_t extra_vocabulary = 0;                      // Rows of the word table that no token uses.
  format::ElementType type = format::ElementType::kF32;  // kF32, kF16 or kBF16.
  std::string prefix = {};                               // Of tensor names, "" or "bert.".
  bool mpnet = false;                                    // MPNet, whose attention has a bias by distance, not BERT.
  std::optional<std::size_t> pad_id = {};                // Of a RoBERTa, whose positions begin behind it.
  std::uint32_t seed = 1;
  std::size_t labels = 0;  // Of a cross-encoder, whose single score goes through a sigmoid; 0 for an embedding model.
};

// Writes config.json, tokenizer.json, model.safetensors, modules.json, 1_Pooling/config.json and
// sentence_bert_config.json into the existing `folder`: an uncased vocabulary of about 190 pieces (printable ASCII, its
// continuations, some words), mean pooling, normalised. Of a cross-encoder, config.json, tokenizer.json and
// model.safetensors.
Status WriteTestModel(const std::string& folder, const TestModelOptions& options = {});

// The bytes of a model file but for the hash of its source, which two sources of the same weights do not share.
std::string WithoutSourceHash(std::string model);

// Writes such a folder inside `folder` and converts it without calibration; returns the path of the model file.
Result<std::string> ConvertTestModel(const std::string& folder, format::Dtype dtype,
                                     const TestModelOptions& options = {});

// The name of a dtype as that of a test, which may hold no dash.
std::string DtypeTestName(format::Dtype dtype);

}  // namespace thimble::test

#endif  // THIMBLE_TESTS_TEST_MODEL_H_
