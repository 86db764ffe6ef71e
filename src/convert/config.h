// What the JSON files of a Hugging Face folder say of a model.

#ifndef THIMBLE_CONVERT_CONFIG_H_
#define THIMBLE_CONVERT_CONFIG_H_

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "convert/names/family.h"
#include "convert/tokenizer_folder.h"
#include "json/json_file.h"
#include "kernels/kernels.h"
#include "model/architecture.h"
#include "model/head.h"
#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::convert {

struct Config {
  std::string transformer;  // Folder of config.json, tokenizer and weights inside the source, "" for the source itself.
  const Family* family = nullptr;
  model::Architecture encoder;
  std::size_t token_types = 0;
  std::size_t bucket_rows = 0;  // Of the table of the family's buckets.
  std::string hidden_act;       // As config.json spells it.

  // Of a cross-encoder.
  struct Classifier {
    std::vector<std::string> labels;  // Names of its scores.
    std::string activation;           // One of model::kScoreActivations.
  };
  std::optional<Classifier> classifier;

  std::optional<model::HeadSpec> head;    // Without a Normalize at its end, which is:
  bool normalize = false;                 // Both unset without modules.json.
  std::vector<std::string> head_folders;  // Of the weights of each module of the head, inside the source.
  std::vector<std::string> head_tensors;  // Of a cross-encoder instead: each module's, among the encoder's.

  std::optional<std::size_t> max_seq_length;  // Of sentence_bert_config.json.
  std::vector<Prompt> prompts;
  std::string default_prompt_name;  // Empty: none.
  TokenizerSettings tokenizer;
};

// Reads config.json and, where present, modules.json with the config.json of each module, sentence_bert_config.json and
// config_sentence_transformers.json. kUnsupported for what thimble does not run, kCorrupt for a field of the wrong type
// or range; the message names the file and the field.
Result<Config> ReadConfig(const std::string& source);

// The part of it that modules.json, `file`, has, with the config.json of each module, in the form of every release of
// sentence-transformers since 2.0: transformer, head and head_folders, without sizes but the outputs of Dense modules.
Status ReadModules(const std::string& source, const json::JsonFile& file, Config* config);
// Gives each module its inputs, and checks them against what a Dense or LayerNorm module says of itself. kCorrupt,
// naming the module.
Status SizeModules(const std::string& source, Config* config);

// The folder of the transformer module, `transformer` inside `source`.
std::string TransformerFolder(const std::string& source, const std::string& transformer);

// The activation that config.json calls so; unset for one that thimble does not have.
std::optional<kernels::Activation> HiddenActivation(std::string_view hidden_act);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_CONFIG_H_
