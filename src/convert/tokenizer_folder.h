// STUB to be replaced by the merge of branch tok.
#ifndef THIMBLE_CONVERT_TOKENIZER_FOLDER_H_
#define THIMBLE_CONVERT_TOKENIZER_FOLDER_H_
#include <optional>
#include <string>
#include "convert/config.h"
#include "convert/json_file.h"
#include "convert/tokenizer_compiler.h"
#include "base/error.h"
namespace thimble::convert {
struct TokenizerSource { CompiledTokenizer tokenizer; std::string path; std::optional<std::size_t> model_max_length; };
inline Result<TokenizerSource> ReadTokenizer(const std::string& folder, const TokenizerOverrides&) {
  TokenizerSource s; s.path = folder + "/tokenizer.json";
  THIMBLE_ASSIGN_OR_RETURN(std::string json, ReadFile(s.path, kMaxTokenizerBytes));
  THIMBLE_ASSIGN_OR_RETURN(s.tokenizer, CompileTokenizer(json, s.path));
  THIMBLE_ASSIGN_OR_RETURN(JsonFile tokenizer, JsonFile::OpenIfPresent(folder + "/tokenizer_config.json"));
  THIMBLE_ASSIGN_OR_RETURN(std::optional<double> length, tokenizer.Number("model_max_length"));
  if (length && *length >= 3 && *length < 1e6) s.model_max_length = static_cast<std::size_t>(*length);
  return s;
}
}
#endif
