// What the JSON files of a Hugging Face folder say of a model.

#ifndef THIMBLE_CONVERT_CONFIG_H_
#define THIMBLE_CONVERT_CONFIG_H_

#include <cstddef>
#include <string>
#include <vector>

#include "convert/convert.h"
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
  std::vector<Prompt> prompts;
};

// Reads config.json and, where present, modules.json with the pooling's config.json, sentence_bert_config.json,
// config_sentence_transformers.json and tokenizer_config.json. What they do not say is as in `defaults`, and where that
// is unset: mean pooling, normalised, no prompts. kUnsupported for what thimble does not run, kCorrupt for a field of
// the wrong type or range; the message names the file and the field.
Result<Config> ReadConfig(const std::string& folder, const Defaults& defaults = {});

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_CONFIG_H_
