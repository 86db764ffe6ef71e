// Compiles a Hugging Face tokenizer.json into the tables that text/ uses.

#ifndef THIMBLE_CONVERT_TOKENIZER_COMPILER_H_
#define THIMBLE_CONVERT_TOKENIZER_COMPILER_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "json/value.h"
#include "text/tables.h"
#include "thimble/status.h"

namespace thimble::convert {

// Owns the tables of one tokenizer.
struct CompiledTokenizer {
  text::OwnedTables owned;
  std::size_t vocabulary = 0;  // Every id is below this.
  std::size_t max_length = 0;  // Where the file truncates, special tokens included; 0 for nowhere.

  // Views of `owned`, valid while it lives and is not changed. Every array is a positive multiple of 64 bytes.
  text::Tables tables() const;
};

// Compiles WordPiece with a normaliser and pre-tokenizer of BERT's kind. `path` names the source in messages. kCorrupt
// when the JSON is malformed or contradicts itself; kUnsupported, naming the part, for a tokenizer that thimble does
// not run. Padding of the file is ignored.
Result<CompiledTokenizer> CompileTokenizer(std::string_view tokenizer_json, const std::string& path);
// The same of parsed JSON.
Result<CompiledTokenizer> CompileParsedTokenizer(const json::Value& root, const std::string& path);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_COMPILER_H_
