// Compiles a Hugging Face tokenizer.json into the tables that text/ uses.

#ifndef THIMBLE_CONVERT_TOKENIZER_COMPILER_H_
#define THIMBLE_CONVERT_TOKENIZER_COMPILER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "convert/table_store.h"
#include "json/value.h"
#include "text/kind.h"
#include "thimble/status.h"

namespace thimble::convert {

struct CompiledTokenizer {
  std::shared_ptr<text::Kind> kind;  // Its tables are views into the store.
  TableStore store;
  std::size_t vocabulary = 0;  // Every id is below this.
  std::size_t max_length = 0;  // Where the file truncates, special tokens included; 0 for nowhere.
};

// `path` names the source in messages. kCorrupt when the JSON is malformed or contradicts itself; kUnsupported, naming
// the part, for a tokenizer that thimble does not run. Padding of the file is ignored.
Result<CompiledTokenizer> CompileTokenizer(std::string_view tokenizer_json, const std::string& path);
// The same of parsed JSON.
Result<CompiledTokenizer> CompileParsedTokenizer(const json::Value& root, const std::string& path);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_COMPILER_H_
