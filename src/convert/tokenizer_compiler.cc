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

namespace thimble::convert {
namespace {

// A model file's tensors are this long, or a multiple.
constexpr std::size_t kPadBytes = 64;

template <typename T>
void Pad(std::vector<T>& array) {
  const std::size_t bytes = std::max(RoundUp(array.size() * sizeof(T), kPadBytes), std::uint64_t{kPadBytes});
  array.resize(bytes / sizeof(T));
}

// Padding of replacements of one character, because the last one must have an end.
void PadPool(std::vector<std::uint32_t>& pool) {
  const std::size_t used = pool.size();
  Pad(pool);
  std::fill(pool.begin() + static_cast<std::ptrdiff_t>(used), pool.end(), text::kLastElement);
}

Status AddTokens(const TokenizerConfig& config, const NormalizerCompiler& normalizer, const std::string& path,
                 text::OwnedTables& tables) {
  // Raw ones first, each kind by its bytes.
  std::vector<std::tuple<bool, std::string, std::uint32_t>> tokens;
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
    if (config.added_strips && normalizer.HasSpaceAtEdge(content)) {
      return Error(Code::kUnsupported, path, ": added token \"", token.content,
                   "\" has a space at its edge, and another one has lstrip or rstrip");
    }
    tokens.emplace_back(token.normalized, std::move(content), token.id);
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
  return Status();
}

}  // namespace

text::Tables CompiledTokenizer::tables() const {
  text::Tables views;
  text::ForEachArray(views, [this](std::string_view name, auto& view) {
    text::ForEachArray(owned, [&](std::string_view owned_name, const auto& array) {
      if constexpr (std::is_convertible_v<decltype(array), std::remove_reference_t<decltype(view)>>) {
        if (name == owned_name) view = array;
      }
    });
  });
  text::ForEachScalar(views, [this](std::string_view name, std::uint32_t& view) {
    text::ForEachScalar(owned, [&](std::string_view owned_name, std::uint32_t value) {
      if (name == owned_name) view = value;
    });
  });
  return views;
}

Result<CompiledTokenizer> CompileTokenizer(std::string_view tokenizer_json, const std::string& path) {
  THIMBLE_ASSIGN_OR_RETURN(const TokenizerConfig config, ParseTokenizer(tokenizer_json, path));
  CompiledTokenizer compiled;
  text::OwnedTables& tables = compiled.owned;
  const NormalizerCompiler normalizer(config.normalizer);

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
  compiled.vocabulary = config.vocabulary;
  compiled.max_length = config.max_length;

  PadPool(tables.normalizer_pool);
  text::ForEachArray(tables, [](const char*, auto& array) { Pad(array); });
  return compiled;
}

}  // namespace thimble::convert
