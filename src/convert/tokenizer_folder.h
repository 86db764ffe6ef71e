// Compiles a Hugging Face tokenizer.json into the tables that text/ uses; and the tokenizer of a folder, as
// sentence-transformers makes it of all the files that have a say.

#ifndef THIMBLE_CONVERT_TOKENIZER_FOLDER_H_
#define THIMBLE_CONVERT_TOKENIZER_FOLDER_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "convert/table_store.h"
#include "json/value.h"
#include "text/kind.h"
#include "thimble/status.h"

namespace thimble::convert {

// How two texts become one sequence, for models that take pairs: between what is around a single text.
struct PairTemplate {
  std::vector<std::uint32_t> middle;  // Ids between the texts.
  bool second_type = false;           // Whether what is behind them has token type 1, and not 0.
  std::string problem;                // Why there is none, if not empty: what it says, and what thimble runs.
};

struct CompiledTokenizer {
  std::shared_ptr<text::Kind> kind;  // Its tables are views into the store.
  TableStore store;
  std::size_t vocabulary = 0;  // Every id is below this.
  std::size_t max_length = 0;  // Where the file truncates, special tokens included; 0 for nowhere.
  PairTemplate pair;           // Not in `kind` until TakePairs puts it there.
};

// `path` names the source in messages. kCorrupt when the JSON is malformed or contradicts itself; kUnsupported, naming
// the part, for a tokenizer that thimble does not run. Padding of the file is ignored.
Result<CompiledTokenizer> CompileTokenizer(std::string_view tokenizer_json, const std::string& path);
// The same of parsed JSON.
Result<CompiledTokenizer> CompileParsedTokenizer(const json::Value& root, const std::string& path);

// What is known from elsewhere.
struct TokenizerSettings {
  bool do_lower_case = false;  // Of sentence_bert_config.json: puts a Lowercase before the normaliser.
  // processor_kwargs, or tokenizer_args, of sentence_bert_config.json: they win over tokenizer_config.json.
  json::Value arguments = json::Object();
  std::size_t embeddings = 0;  // Rows of the word embeddings.
};

struct TokenizerSource {
  CompiledTokenizer tokenizer;
  std::string path;                             // The file that has the vocabulary: tokenizer.json or vocab.txt.
  std::optional<std::size_t> model_max_length;  // None where nothing says it, or it says that there is no limit.
  bool token_types = true;                      // Whether the tokenizer gives the model types of tokens,
  bool states_inputs = false;                   // and whether the folder says so.
};

// Makes it a tokenizer of pairs, with the second token type where `token_types`. kUnsupported, for `path`, without a
// template that thimble runs.
Status TakePairs(bool token_types, const std::string& path, CompiledTokenizer* tokenizer);

// Reads tokenizer.json, or vocab.txt where there is none, with tokenizer_config.json, special_tokens_map.json,
// added_tokens.json and the `tokenizer_class` of config.json, as transformers 5 does:
// a BertTokenizer is built anew from vocabulary and settings, and other parts of tokenizer.json do not count; a
// TokenizersBackend is tokenizer.json as it is. kNotFound when there is neither file; kCorrupt for a value the library
// would fail on; kUnsupported, naming the file and the setting, for what thimble does not run.
//
// A special token that only a default or tokenizer_config.json names, and that has no row among `embeddings`, is left
// out: there, a text that has it is an error.
Result<TokenizerSource> ReadTokenizer(const std::string& folder, const TokenizerSettings& settings);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_FOLDER_H_
