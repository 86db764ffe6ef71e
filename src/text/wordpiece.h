// WordPiece: a word is the longest pieces from left to right, as BERT has it.

#ifndef THIMBLE_TEXT_WORDPIECE_H_
#define THIMBLE_TEXT_WORDPIECE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "text/kind.h"

namespace thimble::text {

struct WordPiece final : Kind {
  static constexpr std::string_view kName = "WordPiece";

  std::string_view name() const override { return kName; }
  Status Check(std::size_t vocabulary) override;
  TokenStream* Start(const TextReader& text, TokenRanges* ranges, StreamMemory& memory) const override;
  void FindEntries(std::unordered_map<std::uint32_t, std::string>& entries) const override;
  std::optional<std::uint32_t> FindId(std::string_view entry) const override;
  std::optional<std::uint32_t> unknown_id() const override { return unknown; }

  TrieTables trie;
  NormalizerTables normalizer;
  TableSpan<std::uint8_t> continuation;  // [continuation_bytes] prefix of a piece that does not start a word.
  std::uint32_t unknown = 0;             // Id of a word that has no pieces.
  std::uint32_t max_word_chars = 0;      // A longer word is unknown.
  std::uint32_t continuation_bytes = 0;

  // Made by Check: where the trie is entered for a piece that does not start a word.
  std::uint32_t continuation_group = 0;

 private:
  void AddTo(Fields& fields) override;
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_WORDPIECE_H_
