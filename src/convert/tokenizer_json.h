// Reads the parts of a tokenizer.json that thimble honours, checked.

#ifndef THIMBLE_CONVERT_TOKENIZER_JSON_H_
#define THIMBLE_CONVERT_TOKENIZER_JSON_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "convert/tokenizer_kind.h"
#include "json/value.h"
#include "thimble/status.h"

namespace thimble::convert {

struct TokenizerConfig {
  std::unique_ptr<KindReader> kind;   // Has read the parts of its own.
  std::vector<AddedToken> added;      // Contents distinct and not empty.
  std::vector<std::uint32_t> prefix;  // Ids around a text.
  std::vector<std::uint32_t> suffix;
  std::size_t vocabulary = 0;  // Every id is below this.
  std::size_t max_length = 0;  // Where the file truncates, special tokens included; 0 for nowhere.
  bool truncates_left = false;
};

// Reads a tokenizer.json. kCorrupt when it is malformed or contradicts itself, kUnsupported for what thimble does not
// run. `path`, which must outlive the result, names the source in messages.
Result<TokenizerConfig> ParseTokenizer(const json::Value& root, const std::string& path);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_JSON_H_
