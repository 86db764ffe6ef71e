// Unigram: a word is the pieces whose scores have the highest sum, as SentencePiece has it.

#ifndef THIMBLE_TEXT_UNIGRAM_H_
#define THIMBLE_TEXT_UNIGRAM_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "text/kind.h"
#include "text/steps.h"
#include "text/word_reader.h"

namespace thimble::text {

inline constexpr std::size_t kMaxUnigramPiece = 255;  // Bytes.
inline constexpr std::uint32_t kDefaultMark = 0x2581;
// The tokens that a byte of an unknown character can be.
inline constexpr std::size_t kByteTokens = 256;

struct Unigram final : Kind {
  static constexpr std::string_view kName = "Unigram";

  std::string_view name() const override { return kName; }
  Status Check(std::size_t vocabulary) override;
  TokenStream* Start(const TextReader& text, TokenRanges* ranges, StreamMemory& memory) const override;
  void FindEntries(std::unordered_map<std::uint32_t, std::string>& entries) const override;
  std::optional<std::uint32_t> FindId(std::string_view entry) const override;
  std::optional<std::uint32_t> unknown_id() const override { return unknown; }
  Joining joining() const override { return Joining::kMetaspace; }

  double ScoreOf(std::uint32_t token) const {
    if (scores.empty()) return std::bit_cast<double>(exact_scores[token]);
    return static_cast<double>(scores[token]);
  }

  TrieTables trie;
  // [tokens + 1] by the number of the token in the trie; behind them the lowest of all. One of the two is empty.
  TableSpan<float> scores;
  TableSpan<std::uint64_t> exact_scores;  // The bits of binary64, where binary32 does not have them.
  StepTables normalizer;
  SplitRules rules;
  TableSpan<std::uint32_t>
      bytes;                  // [256] ids of the bytes that an unknown character becomes; empty for unknown tokens.
  std::uint32_t unknown = 0;  // Id of unknown characters.

  // Made by Check.
  double unknown_score = 0;
  std::string mark_utf8;  // The mark, the usual one where there is none.

 private:
  void AddTo(Fields& fields) override;
};

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_UNIGRAM_H_
