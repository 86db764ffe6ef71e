// What the JSON files of a Hugging Face folder say of a model.

#ifndef THIMBLE_CONVERT_CONFIG_H_
#define THIMBLE_CONVERT_CONFIG_H_

#include <cstddef>
#include <string>

#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::convert {

struct Config {
  std::size_t hidden = 0;
  std::size_t layers = 0;
  std::size_t heads = 0;
  std::size_t intermediate = 0;
  std::size_t positions = 0;
  std::size_t vocabulary = 0;
  std::size_t token_types = 0;
  double layer_norm_epsilon = 0;
  std::size_t max_tokens = 0;
  Pooling pooling = Pooling::kMean;
  bool normalize = true;
};

// Reads config.json and, where present, modules.json with the pooling's config.json, sentence_bert_config.json and
// tokenizer_config.json. Without modules.json: mean pooling, normalised. kUnsupported for what thimble does not run,
// kCorrupt for a field of the wrong type or range; the message names the file and the field.
Result<Config> ReadConfig(const std::string& folder);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_CONFIG_H_
