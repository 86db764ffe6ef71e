// Reads the parts of a tokenizer.json that thimble honours, checked.

#ifndef THIMBLE_CONVERT_TOKENIZER_JSON_H_
#define THIMBLE_CONVERT_TOKENIZER_JSON_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "convert/tokenizer_rules.h"
#include "json/value.h"
#include "thimble/status.h"

namespace thimble::convert {

struct AddedToken {
  std::string content;
  std::uint32_t id = 0;
  bool normalized = false;
  bool single_word = false;
};

// A WordPiece tokenizer.
struct TokenizerConfig {
  std::vector<std::pair<std::string, std::uint32_t>> pieces;  // Distinct, not empty, sorted by bytes.
  std::vector<AddedToken> added;                              // Contents distinct and not empty.
  bool added_strips = false;                                  // Whether any takes the spaces beside it.
  TokenizerRules rules;
  std::string continuation;
  std::uint32_t unknown_id = 0;
  std::uint32_t max_word_chars = 0;
  std::vector<std::uint32_t> prefix;  // Ids around a text.
  std::vector<std::uint32_t> suffix;
  std::size_t vocabulary = 0;  // Every id is below this.
  std::size_t max_length = 0;  // Where the file truncates, special tokens included; 0 for nowhere.
  bool truncates_left = false;
};

// Reads a tokenizer.json. kCorrupt when it is malformed or contradicts itself, kUnsupported for what thimble does not
// run. `path` names the source in messages.
Result<TokenizerConfig> ParseTokenizer(const json::Value& root, const std::string& path);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_TOKENIZER_JSON_H_
