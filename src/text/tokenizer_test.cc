// Tests of the tokenizer on tables made by hand: how it reads, truncates and refuses. Ids of the Rust library are
// checked in convert/tokenizer_golden_test.cc.

#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "text/pairs.h"
#include "text/trie.h"
#include "text/utf8.h"
#include "text/wordpiece.h"

namespace thimble::text {
namespace {

constexpr std::size_t kVocabulary = 10;

// Pieces a = 1, ab = 2, #b = 3 with the prefix "#"; unknown 0; 8 before, 9 behind. The space parts words, "x" stands
// for "ab", "y" is dropped, and the added token "[M]" is 7.
struct HandMade {
  std::vector<std::uint8_t> labels = {'#', 'a', 'b', 'b'};
  std::vector<std::uint64_t> children = {0b0011}, first = {0b1101}, terminal = {0b10};
  std::vector<std::uint32_t> children_rank = {0}, terminal_rank = {0}, first_select = {0};
  std::vector<std::uint16_t> ids = {1, 3, 2};
  std::vector<std::uint8_t> ids_high = {0, 0, 0};
  std::vector<std::uint8_t> blocks = std::vector<std::uint8_t>(kNormalizerBlocks, 0);
  std::vector<std::uint16_t> middle = std::vector<std::uint16_t>(2 * kNormalizerBlock, 0);
  std::vector<std::uint16_t> entries = std::vector<std::uint16_t>(3 * kNormalizerBlock, 0);
  std::vector<std::uint32_t> pool = {PoolElement('a', CharClass::kWord, 0),
                                     PoolElement('b', CharClass::kWord, 0) | kLastElement};
  std::vector<std::uint8_t> added_text = {'[', 'M', ']'};
  std::vector<std::uint32_t> added_begin = {0, 3}, added_ids = {7}, word_chars;
  std::vector<std::uint8_t> continuation = {'#'};
  std::vector<std::uint32_t> prefix = {8}, suffix = {9};
  WordPiece numbers;

  HandMade() {
    // Block 1 of `middle` serves U+0000 to U+0FFF, whose first two blocks of entries differ from the others.
    blocks[0] = 1;
    middle[64 + 0] = 1;
    middle[64 + 1] = 2;
    entries[64 + ' '] = static_cast<std::uint16_t>(CharClass::kSpace);
    entries[128 + 'x' - 64] = kEntryReplacement;
    entries[128 + 'y' - 64] = kEntryDrop;
    numbers.trie.nodes = 4;
    numbers.max_word_chars = 5;
    numbers.continuation_bytes = 1;
    numbers.added.count = 1;
    numbers.added.raw = 1;
    numbers.around.prefix_count = 1;
    numbers.around.suffix_count = 1;
  }

  std::shared_ptr<WordPiece> kind() const {
    auto kind = std::make_shared<WordPiece>(numbers);
    const std::uint32_t nodes = numbers.trie.nodes, wide_ids = numbers.trie.wide_ids;
    kind->trie = {labels,       children, first,    terminal, children_rank, terminal_rank,
                  first_select, ids,      ids_high, nodes,    wide_ids};
    kind->normalizer = {blocks, middle, entries, pool};
    kind->added = {added_text, added_begin, added_ids, word_chars, numbers.added.count, numbers.added.raw};
    kind->continuation = continuation;
    kind->around.prefix = prefix;
    kind->around.suffix = suffix;
    return kind;
  }
};

std::vector<std::int32_t> Encode(const HandMade& made, std::string_view text, std::size_t limit = 100,
                                 bool* truncated = nullptr) {
  Result<Tokenizer> tokenizer = Tokenizer::Create(made.kind(), kVocabulary);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  if (!tokenizer.ok()) return {};
  std::vector<std::int32_t> ids(limit, -1);
  Encoded encoded = tokenizer->Encode({}, text, ids);
  ids.resize(encoded.tokens);
  if (truncated != nullptr) *truncated = encoded.truncated;
  return ids;
}

using Ids = std::vector<std::int32_t>;

TEST(Tokenizer, PutsSpecialTokensAroundAnyText) {
  HandMade made;
  EXPECT_EQ(Encode(made, ""), (Ids{8, 9}));
  EXPECT_EQ(Encode(made, std::string_view()), (Ids{8, 9}));
  EXPECT_EQ(Encode(made, "   "), (Ids{8, 9}));
  EXPECT_EQ(Encode(made, "y y"), (Ids{8, 9}));
  EXPECT_EQ(Encode(made, std::string_view("\0", 1)), (Ids{8, 0, 9}));
}

TEST(Tokenizer, TakesTheLongestPieceFirst) {
  HandMade made;
  EXPECT_EQ(Encode(made, "a ab abb"), (Ids{8, 1, 2, 2, 3, 9}));
  EXPECT_EQ(Encode(made, "x ayb"), (Ids{8, 2, 2, 9}));
}

TEST(Tokenizer, MakesAWordWithAnUnmatchedPieceUnknownAsAWhole) {
  HandMade made;
  EXPECT_EQ(Encode(made, "aba a b ##b"), (Ids{8, 0, 1, 0, 0, 9}));
}

TEST(Tokenizer, MakesAWordLongerThanTheLimitUnknown) {
  HandMade made;
  EXPECT_EQ(Encode(made, "abbbb"), (Ids{8, 2, 3, 3, 3, 9}));
  EXPECT_EQ(Encode(made, "abbbbb a"), (Ids{8, 0, 1, 9}));
  // Counted after normalisation: x is two characters, y none.
  EXPECT_EQ(Encode(made, "xbbb"), (Ids{8, 2, 3, 3, 3, 9}));
  EXPECT_EQ(Encode(made, "xbbbb"), (Ids{8, 0, 9}));
  EXPECT_EQ(Encode(made, "yyyyyya"), (Ids{8, 1, 9}));
}

TEST(Tokenizer, ReadsAMillionBytesOfOneWordInConstantMemory) {
  HandMade made;
  EXPECT_EQ(Encode(made, std::string(1000000, 'a') + " ab"), (Ids{8, 0, 2, 9}));
}

TEST(Tokenizer, FindsAddedTokensInsideWords) {
  HandMade made;
  EXPECT_EQ(Encode(made, "a[M]ab[M"), (Ids{8, 1, 7, 0, 9}));
  EXPECT_EQ(Encode(made, "[M][M]"), (Ids{8, 7, 7, 9}));
}

TEST(Tokenizer, TruncatesAtEveryLengthAndSaysSoExactly) {
  HandMade made;
  const std::string_view text = "abb a [M] bb abbb";
  const Ids whole = {8, 2, 3, 1, 7, 0, 2, 3, 3, 9};
  for (std::size_t limit = 3; limit <= whole.size() + 2; ++limit) {
    Ids expected = whole;
    if (limit < whole.size()) {
      expected.resize(limit);
      expected.back() = 9;
    }
    bool truncated = false;
    EXPECT_EQ(Encode(made, text, limit, &truncated), expected) << limit;
    EXPECT_EQ(truncated, limit < whole.size()) << limit;
  }
}

TEST(Tokenizer, KeepsTheLastTokensAtEveryLengthAndSaysSoExactly) {
  HandMade made;
  made.numbers.around.truncate_left = 1;
  const std::string_view text = "abb a [M] bb abbb y ";
  const Ids whole = {8, 2, 3, 1, 7, 0, 2, 3, 3, 9};
  for (std::size_t limit = 3; limit <= whole.size() + 2; ++limit) {
    Ids expected = whole;
    if (limit < whole.size()) expected.erase(expected.begin() + 1, expected.end() - (limit - 1));
    bool truncated = false;
    EXPECT_EQ(Encode(made, text, limit, &truncated), expected) << limit;
    EXPECT_EQ(truncated, limit < whole.size()) << limit;
  }
}

TEST(Tokenizer, KeepsTheLastTokensOfATextOfAnyLengthAndCutsThePromptFirst) {
  HandMade made;
  made.numbers.around.truncate_left = 1;
  const Result<Tokenizer> tokenizer = Tokenizer::Create(made.kind(), kVocabulary);
  ASSERT_TRUE(tokenizer.ok());
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "a ab ";
  Ids ids(7);
  Encoded encoded = tokenizer->Encode("[M]", text + "abb", ids);
  EXPECT_EQ(ids, (Ids{8, 2, 1, 2, 2, 3, 9}));
  EXPECT_TRUE(encoded.truncated);
  encoded = tokenizer->Encode("[M]", "a a a a", ids);
  EXPECT_EQ(ids, (Ids{8, 7, 1, 1, 1, 1, 9}));
  EXPECT_FALSE(encoded.truncated);
  encoded = tokenizer->Encode("[M] ", "a a a a a", ids);
  EXPECT_EQ(ids, (Ids{8, 1, 1, 1, 1, 1, 9}));
  EXPECT_TRUE(encoded.truncated);
}

// "[M]" counts only where no "a" to "z" stands beside it.
HandMade WithSingleWord() {
  HandMade made;
  made.added_ids = {7 | kSingleWord};
  made.word_chars = {'a', 'z' + 1, kNoCodePoint, kNoCodePoint};
  return made;
}

TEST(Tokenizer, SeesASingleWordOnlyWhereNoWordCharacterIsBesideIt) {
  const HandMade made = WithSingleWord();
  EXPECT_EQ(Encode(made, "[M]"), (Ids{8, 7, 9}));
  EXPECT_EQ(Encode(made, " [M]#[M]"), (Ids{8, 7, 0, 7, 9}));
  EXPECT_EQ(Encode(made, "a[M]"), (Ids{8, 0, 9}));
  EXPECT_EQ(Encode(made, "[M]a"), (Ids{8, 0, 9}));
  EXPECT_EQ(Encode(made, "\xC3\xA9[M]"), (Ids{8, 0, 7, 9}));
  EXPECT_EQ(Encode(made, "\x80[M]\x80"), (Ids{8, 0, 7, 0, 9}));
}

TEST(Tokenizer, SeesASingleWordAcrossTheEndOfThePrompt) {
  const HandMade made = WithSingleWord();
  const Result<Tokenizer> tokenizer = Tokenizer::Create(made.kind(), kVocabulary);
  ASSERT_TRUE(tokenizer.ok());
  const std::string_view text = "a[M] [M]a [M]";
  const Ids whole = Encode(made, text);
  EXPECT_EQ(whole, (Ids{8, 0, 0, 7, 9}));
  for (std::size_t split = 0; split <= text.size(); ++split) {
    Ids ids(10);
    // Copies, so that nothing is read beyond its part.
    const std::string prompt(text.substr(0, split)), rest(text.substr(split));
    ids.resize(tokenizer->Encode(prompt, rest, ids).tokens);
    EXPECT_EQ(ids, whole) << split;
  }
}

TEST(Tokenizer, DoesNotCallTrailingSpaceTruncated) {
  HandMade made;
  bool truncated = true;
  EXPECT_EQ(Encode(made, "a ab   y ", 4, &truncated), (Ids{8, 1, 2, 9}));
  EXPECT_FALSE(truncated);
}

TEST(Tokenizer, CountsAnUnknownWordAsOneTokenWhenItsFirstPiecesOverflow) {
  HandMade made;
  bool truncated = true;
  // "abba" is unknown: one token that fits, although "ab" and "#b" would not.
  EXPECT_EQ(Encode(made, "abba", 3, &truncated), (Ids{8, 0, 9}));
  EXPECT_FALSE(truncated);
}

TEST(Utf8, ReplacesTheLongestBeginningOfACharacter) {
  auto decode = [](std::string_view text) {
    std::vector<std::uint32_t> code_points;
    const std::uint8_t* next = reinterpret_cast<const std::uint8_t*>(text.data());
    const std::uint8_t* end = next + text.size();
    while (next != end) code_points.push_back(DecodeUtf8(next, end));
    return code_points;
  };
  using CodePoints = std::vector<std::uint32_t>;
  EXPECT_EQ(decode("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"), (CodePoints{'a', 0xE9, 0x20AC, 0x1F600}));
  EXPECT_EQ(decode("\xE2\x82"), (CodePoints{0xFFFD}));
  EXPECT_EQ(decode("\xF0\x9F\x98z"), (CodePoints{0xFFFD, 'z'}));
  EXPECT_EQ(decode("\xED\xA0\x80"), (CodePoints{0xFFFD, 0xFFFD, 0xFFFD}));
  EXPECT_EQ(decode("\xE0\x80\xAF"), (CodePoints{0xFFFD, 0xFFFD, 0xFFFD}));
  EXPECT_EQ(decode("\xF4\x90\x80\x80"), (CodePoints{0xFFFD, 0xFFFD, 0xFFFD, 0xFFFD}));
  EXPECT_EQ(decode("\xC0\xAF\xFF"), (CodePoints{0xFFFD, 0xFFFD, 0xFFFD}));
}

TEST(Utf8, DecodesWhatItEncodes) {
  for (std::uint32_t c = 0; c <= 0x10FFFF; ++c) {
    if (c >= 0xD800 && c <= 0xDFFF) continue;
    std::uint8_t utf8[4];
    std::size_t bytes = EncodeUtf8(c, utf8);
    const std::uint8_t* next = utf8;
    ASSERT_EQ(DecodeUtf8(next, utf8 + bytes), c);
    ASSERT_EQ(next, utf8 + bytes);
  }
}

TEST(Trie, CountsOnes) {
  EXPECT_EQ(CountOnes(0), 0u);
  EXPECT_EQ(CountOnes(~std::uint64_t{0}), 64u);
  EXPECT_EQ(CountOnes(0x8000000000000001), 2u);
}

TEST(CheckTables, RefusesEachContradiction) {
  struct Case {
    std::function<void(HandMade&)> damage;
    std::string_view message;
  };
  const std::vector<Case> cases = {
      {[](HandMade& m) { m.numbers.trie.nodes = 0; }, "nodes: the vocabulary is empty"},
      {[](HandMade& m) { m.numbers.trie.nodes = kMaxNodes + 1; }, "nodes: at most"},
      {[](HandMade& m) { m.numbers.trie.nodes = 5; }, "trie.labels: needs 5 elements, has 4"},
      {[](HandMade& m) { m.numbers.trie.wide_ids = 2; }, "wide_ids: at most 1"},
      {[](HandMade& m) { m.children.clear(); }, "trie.children: needs 1 elements, has 0"},
      {[](HandMade& m) { m.children[0] |= 1 << 4; }, "trie.children: bits behind the end"},
      {[](HandMade& m) { m.children_rank[0] = 1; }, "trie.children_rank: does not count"},
      {[](HandMade& m) { m.children_rank.clear(); }, "trie.children_rank: needs 1"},
      {[](HandMade& m) { m.first[0] = 0b1111; }, "trie.first: does not match"},
      {[](HandMade& m) { m.first[0] = 0b1110; }, "trie.first: does not match"},
      {[](HandMade& m) { m.terminal[0] = 0b100; }, "trie.terminal: bits behind"},
      {[](HandMade& m) { m.terminal_rank[0] = 7; }, "trie.terminal_rank: does not count"},
      {[](HandMade& m) { m.first_select[0] = 1; }, "trie.first_select: does not point"},
      {[](HandMade& m) { m.first_select.clear(); }, "trie.first_select: needs 1"},
      {[](HandMade& m) { m.ids.pop_back(); }, "trie.ids: needs 3 elements, has 2"},
      {[](HandMade& m) { m.ids[2] = 10; }, "trie.ids: id 10, vocabulary has 10"},
      {[](HandMade& m) { m.numbers.trie.wide_ids = 1, m.ids_high[1] = 1; }, "trie.ids: id 65539"},
      {[](HandMade& m) { m.numbers.trie.wide_ids = 1, m.ids_high.clear(); }, "trie.ids_high: needs 3"},
      {[](HandMade& m) { m.blocks.pop_back(); }, "normalizer.blocks: needs 272"},
      {[](HandMade& m) { m.blocks[271] = 2; }, "normalizer.blocks: points outside"},
      {[](HandMade& m) { m.middle[70] = 3; }, "normalizer.middle: points outside"},
      {[](HandMade& m) { m.entries[5] = 7; }, "normalizer.entries: unknown kind"},
      {[](HandMade& m) { m.entries[5] = kEntryReplacement + 2; }, "normalizer.entries: points outside"},
      {[](HandMade& m) { m.pool[1] &= ~kLastElement; }, "normalizer.pool: the last replacement"},
      {[](HandMade& m) { m.pool[0] = 0x110000; }, "normalizer.pool: not a character"},
      {[](HandMade& m) { m.pool[0] = 5u << 21; }, "normalizer.pool: not a character"},
      {[](HandMade& m) { m.numbers.added.count = kMaxAddedTokens + 1; }, "added: at most"},
      {[](HandMade& m) { m.numbers.added.raw = 2; }, "added_raw: at most 1"},
      {[](HandMade& m) { m.added_begin.pop_back(); }, "added.begin: needs 2"},
      {[](HandMade& m) { m.added_begin = {0, 0}; }, "added.begin: does not grow"},
      {[](HandMade& m) { m.added_begin = {0, 4}; }, "added.text: needs 4"},
      {[](HandMade& m) { m.added_ids = {10}; }, "added.ids: id 10"},
      {[](HandMade& m) { m.added_ids.clear(); }, "added.ids: needs 1"},
      {[](HandMade& m) { m.added_ids = {10 | kSingleWord}, m.word_chars = {1, 2}; }, "added.ids: id 10"},
      {[](HandMade& m) { m.added_ids = {7 | kSingleWord}; }, "added.word_chars: is missing"},
      {[](HandMade& m) { m.word_chars = {2, 1}; }, "added.word_chars: is not sorted"},
      {[](HandMade& m) { m.numbers.around.truncate_left = 2; }, "truncate_left: at most 1"},
      {[](HandMade& m) { m.numbers.around.prefix_count = 17; }, "prefix_count: at most 16"},
      {[](HandMade& m) { m.numbers.around.suffix_count = 2; }, "suffix: needs 2"},
      {[](HandMade& m) { m.prefix = {10}; }, "prefix: id 10"},
      {[](HandMade& m) { m.suffix = {0xFFFFFFFF}; }, "suffix: id 4294967295"},
      {[](HandMade& m) { m.numbers.continuation_bytes = 2; }, "continuation: needs 2"},
      {[](HandMade& m) { m.numbers.max_word_chars = 0; }, "max_word_chars: is 0"},
      {[](HandMade& m) { m.numbers.max_word_chars = kMaxWordChars + 1; }, "max_word_chars: at most"},
      {[](HandMade& m) { m.numbers.unknown = 10; }, "unknown_id: id 10"},
  };
  for (const Case& c : cases) {
    HandMade made;
    c.damage(made);
    Result<Tokenizer> tokenizer = Tokenizer::Create(made.kind(), kVocabulary);
    ASSERT_FALSE(tokenizer.ok()) << c.message;
    EXPECT_EQ(tokenizer.status().code(), Code::kCorrupt);
    EXPECT_NE(tokenizer.status().message().find(c.message), std::string::npos)
        << "expected " << c.message << ", found " << tokenizer.status().message();
  }
}

// What the library's longest_first keeps of two texts, as it writes it down.
PairShare LibraryShare(std::size_t n1, std::size_t n2, std::size_t room) {
  if (n1 + n2 <= room) return {n1, n2};
  const bool swap = n1 > n2;
  if (swap) std::swap(n1, n2);
  n2 = n1 > room ? n1 : std::max(n1, room - n1);
  if (n1 + n2 > room) {
    n1 = room / 2;
    n2 = n1 + room % 2;
  }
  return swap ? PairShare{n2, n1} : PairShare{n1, n2};
}

TEST(Pairs, ShareRoomAsTheLibraryDoes) {
  for (std::size_t room = 0; room < 12; ++room) {
    for (std::size_t first = 0; first < 30; ++first) {
      for (std::size_t second = 0; second < 30; ++second) {
        EXPECT_EQ(ShareRoom(first, second, room), LibraryShare(first, second, room)) << first << " " << second;
      }
    }
  }
}

TEST(Pairs, KeepWhatTheLibraryKeepsOfTextsOfAnyLength) {
  constexpr std::size_t kMiddle = 4;
  for (bool left : {false, true}) {
    HandMade made;
    std::vector<std::uint32_t> middle = {kMiddle};
    auto kind = made.kind();
    kind->around.middle = middle;
    kind->around.middle_count = 1;
    kind->around.truncate_left = left ? 1 : 0;
    auto tokenizer = Tokenizer::Create(kind, kVocabulary);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    const auto text = [](std::size_t tokens, bool backwards) {  // "a ab a ab ...": ids that tell the ends apart.
      std::string words;
      for (std::size_t i = 0; i < tokens; ++i) words += (i % 3 == 0) == backwards ? "ab " : "a ";
      return words;
    };
    const auto ids_of = [&](const std::string& words) {
      std::vector<std::int32_t> ids(400);
      TokenReader reader(*tokenizer, {}, words);
      ids.resize(reader.Read(ids));
      return ids;
    };
    for (std::size_t limit : {4, 5, 6, 9, 12, 13}) {
      base::Arena measure;
      (void)Pairs(*tokenizer, limit, Cut::kText, measure);
      auto memory = base::Mapping::Create(measure.used());
      ASSERT_TRUE(memory.ok());
      base::Arena arena(memory->bytes());
      Pairs pairs(*tokenizer, limit, Cut::kText, arena);
      for (std::size_t n1 : {0, 1, 3, 4, 5, 6, 7, 10, 90, 91, 200}) {
        pairs.SetFirst({}, text(n1, false));
        for (std::size_t n2 : {0, 1, 3, 4, 5, 6, 7, 10, 89, 90, 91, 92, 300}) {
          std::vector<std::int32_t> found(limit);
          const EncodedPair pair = pairs.Encode(text(n2, true), found.data());
          found.resize(pair.tokens);
          const PairShare kept = LibraryShare(n1, n2, limit - 3);
          const auto part = [&](const std::vector<std::int32_t>& ids, std::size_t count) {
            const std::size_t skipped = left ? ids.size() - count : 0;
            return std::vector<std::int32_t>(ids.begin() + static_cast<std::ptrdiff_t>(skipped),
                                             ids.begin() + static_cast<std::ptrdiff_t>(skipped + count));
          };
          std::vector<std::int32_t> expected = {8};
          for (std::int32_t id : part(ids_of(text(n1, false)), kept.first)) expected.push_back(id);
          expected.push_back(kMiddle);
          EXPECT_EQ(pair.second, expected.size());
          for (std::int32_t id : part(ids_of(text(n2, true)), kept.second)) expected.push_back(id);
          expected.push_back(9);
          EXPECT_EQ(found, expected) << limit << " of " << n1 << " and " << n2 << (left ? ", the last" : ", the first");
          EXPECT_EQ(pair.truncated, n1 + n2 > limit - 3);
          EXPECT_EQ(pairs.Count(text(n2, true)), n1 + n2 + 3);
        }
      }
    }
  }
}

}  // namespace
}  // namespace thimble::text
