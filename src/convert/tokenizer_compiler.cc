// Puts the parts of a compiled tokenizer together.

#include "convert/tokenizer_compiler.h"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <utility>
#include <vector>

#include "base/error.h"
#include "convert/tokenizer_json.h"
#include "convert/tokenizer_normalizer.h"
#include "json/json_file.h"

namespace thimble::convert {
namespace {

Result<text::AddedTables> AddTokens(const TokenizerConfig& config, const std::string& path, TableStore& store) {
  // Raw ones first, each kind by its bytes.
  std::vector<std::tuple<bool, std::string, std::uint32_t>> tokens;
  THIMBLE_ASSIGN_OR_RETURN(std::vector<std::string> texts, config.kind->AddedTexts(config.added));
  bool single_words = false;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const AddedToken& token = config.added[i];
    single_words |= token.single_word;
    tokens.emplace_back(token.normalized, std::move(texts[i]), token.id | (token.single_word ? text::kSingleWord : 0));
  }
  std::sort(tokens.begin(), tokens.end());
  text::AddedTables tables;
  std::vector<std::uint8_t> bytes;
  std::vector<std::uint32_t> begin, ids;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto& [normalized, content, id] = tokens[i];
    if (i > 0 && std::get<0>(tokens[i - 1]) == normalized && std::get<1>(tokens[i - 1]) == content) {
      return Error(Code::kUnsupported, path, ": two added tokens normalise to \"", content, "\"");
    }
    begin.push_back(static_cast<std::uint32_t>(bytes.size()));
    bytes.insert(bytes.end(), content.begin(), content.end());
    ids.push_back(id);
    if (!normalized) ++tables.raw;
    ++tables.count;
  }
  if (bytes.size() > text::kMaxAddedBytes) {
    return Error(Code::kUnsupported, path, ": added_tokens have ", bytes.size(), " bytes, at most ",
                 text::kMaxAddedBytes);
  }
  begin.push_back(static_cast<std::uint32_t>(bytes.size()));
  if (single_words) tables.word_chars = store.Keep(WordCharBounds(), text::kNoCodePoint);
  tables.text = store.Keep(std::move(bytes));
  tables.begin = store.Keep(std::move(begin));
  tables.ids = store.Keep(std::move(ids));
  return tables;
}

}  // namespace

Result<CompiledTokenizer> CompileTokenizer(std::string_view tokenizer_json, const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(const json::JsonFile file, json::JsonFile::Parse(tokenizer_json, path));
  return CompileParsedTokenizer(file.json(), path);
}

Result<CompiledTokenizer> CompileParsedTokenizer(const json::Value& root, const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(const TokenizerConfig config, ParseTokenizer(root, path));
  CompiledTokenizer compiled;
  THIMBLE_ASSIGN_OR_RETURN(compiled.kind, config.kind->Compile(compiled.store));
  THIMBLE_ASSIGN_OR_RETURN(compiled.kind->added, AddTokens(config, path, compiled.store));
  compiled.kind->around = {.prefix = compiled.store.Keep(config.prefix),
                           .suffix = compiled.store.Keep(config.suffix),
                           .prefix_count = static_cast<std::uint32_t>(config.prefix.size()),
                           .suffix_count = static_cast<std::uint32_t>(config.suffix.size()),
                           .truncate_left = config.truncates_left ? 1u : 0u};
  compiled.vocabulary = config.vocabulary;
  compiled.max_length = config.max_length;
  return compiled;
}

}  // namespace thimble::convert
