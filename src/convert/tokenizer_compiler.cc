// Puts the parts of a compiled tokenizer together.

#include "convert/tokenizer_compiler.h"

#include <algorithm>
#include <cstdint>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/checked.h"
#include "base/error.h"
#include "convert/tokenizer_json.h"
#include "convert/tokenizer_normalizer.h"
#include "convert/tokenizer_trie.h"
#include "json/json_file.h"

namespace thimble::convert {
namespace {

// A model file's tensors are this long, or a multiple.
constexpr std::size_t kPadBytes = 64;

template <typename T>
void Pad(std::vector<T>& array) {
  const std::size_t bytes = std::max(RoundUp(array.size() * sizeof(T), kPadBytes), std::uint64_t{kPadBytes});
  array.resize(bytes / sizeof(T));
}

void PadWith(std::uint32_t value, std::vector<std::uint32_t>& array) {
  const std::size_t used = array.size();
  Pad(array);
  std::fill(array.begin() + static_cast<std::ptrdiff_t>(used), array.end(), value);
}

Status AddTokens(const TokenizerConfig& config, const NormalizerCompiler& normalizer, const std::string& path,
                 text::OwnedTables& tables) {
  // Raw ones first, each kind by its bytes.
  std::vector<std::tuple<bool, std::string, std::uint32_t>> tokens;
  bool single_words = false;
  for (const AddedToken& token : config.added) {
    std::string content = token.content;
    if (token.normalized) {
      Result<std::string> normalized = normalizer.Normalize(content);
      if (!normalized.ok()) {
        return Error(normalized.status().code(), path, ": added token \"", content, "\" ",
                     normalized.status().message());
      }
      content = std::move(*normalized);
      if (content.empty()) {
        return Error(Code::kUnsupported, path, ": added token \"", token.content, "\" normalises to nothing");
      }
    }
    // Without this, taking spaces beside a token has no effect on the ids, because spaces only part words.
    if ((config.added_strips || config.rules.trims) && normalizer.HasSpaceAtEdge(content)) {
      return Error(Code::kUnsupported, path, ": added token \"", token.content,
                   "\" has a space at its edge, and another one has lstrip or rstrip, or the normalizer has Strip");
    }
    single_words |= token.single_word;
    tokens.emplace_back(token.normalized, std::move(content), token.id | (token.single_word ? text::kSingleWord : 0));
  }
  std::sort(tokens.begin(), tokens.end());
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto& [normalized, content, id] = tokens[i];
    if (i > 0 && std::get<0>(tokens[i - 1]) == normalized && std::get<1>(tokens[i - 1]) == content) {
      return Error(Code::kUnsupported, path, ": two added tokens normalise to \"", content, "\"");
    }
    tables.added_begin.push_back(static_cast<std::uint32_t>(tables.added_text.size()));
    tables.added_text.insert(tables.added_text.end(), content.begin(), content.end());
    tables.added_ids.push_back(id);
    if (!normalized) ++tables.added_raw;
    ++tables.added;
  }
  if (tables.added_text.size() > text::kMaxAddedBytes) {
    return Error(Code::kUnsupported, path, ": added_tokens have ", tables.added_text.size(), " bytes, at most ",
                 text::kMaxAddedBytes);
  }
  tables.added_begin.push_back(static_cast<std::uint32_t>(tables.added_text.size()));
  if (single_words) {
    tables.added_word_chars = WordCharBounds();
    PadWith(text::kNoCodePoint, tables.added_word_chars);
  }
  return Status();
}

}  // namespace

text::Tables CompiledTokenizer::tables() const {
  text::Tables views;
  const auto copy_array = [this](std::string_view name, auto& view) {
    const auto copy = [&](std::string_view owned_name, const auto& array) {
      if constexpr (std::is_convertible_v<decltype(array), std::remove_reference_t<decltype(view)>>) {
        if (name == owned_name) view = array;
      }
    };
    text::ForEachArray(owned, copy);
    text::ForEachOptionalArray(owned, copy);
  };
  text::ForEachArray(views, copy_array);
  text::ForEachOptionalArray(views, copy_array);
  const auto copy_scalar = [this](std::string_view name, std::uint32_t& view) {
    const auto copy = [&](std::string_view owned_name, std::uint32_t value) {
      if (name == owned_name) view = value;
    };
    text::ForEachScalar(owned, copy);
    text::ForEachOptionalScalar(owned, copy);
  };
  text::ForEachScalar(views, copy_scalar);
  text::ForEachOptionalScalar(views, copy_scalar);
  return views;
}

Result<CompiledTokenizer> CompileTokenizer(std::string_view tokenizer_json, const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(const json::JsonFile file, json::JsonFile::Parse(tokenizer_json, path));
  return CompileParsedTokenizer(file.json(), path);
}

Result<CompiledTokenizer> CompileParsedTokenizer(const json::Value& root, const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(const TokenizerConfig config, ParseTokenizer(root, path));
  CompiledTokenizer compiled;
  text::OwnedTables& tables = compiled.owned;
  const NormalizerCompiler normalizer(config.rules);

  BuildTrie(config.pieces, tables);
  THIMBLE_RETURN_IF_ERROR(normalizer.Compile(tables));
  THIMBLE_RETURN_IF_ERROR(AddTokens(config, normalizer, path, tables));
  tables.continuation.assign(config.continuation.begin(), config.continuation.end());
  tables.continuation_bytes = static_cast<std::uint32_t>(config.continuation.size());
  tables.prefix = config.prefix;
  tables.prefix_count = static_cast<std::uint32_t>(config.prefix.size());
  tables.suffix = config.suffix;
  tables.suffix_count = static_cast<std::uint32_t>(config.suffix.size());
  tables.unknown_id = config.unknown_id;
  tables.max_word_chars = config.max_word_chars;
  tables.truncate_left = config.truncates_left ? 1 : 0;
  compiled.vocabulary = config.vocabulary;
  compiled.max_length = config.max_length;

  PadWith(text::kLastElement, tables.normalizer_pool);
  text::ForEachArray(tables, [](const char*, auto& array) { Pad(array); });
  return compiled;
}

}  // namespace thimble::convert
