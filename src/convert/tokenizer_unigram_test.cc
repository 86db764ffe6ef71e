// Compares Unigram tokenizers with ids and offsets that the Rust library gave (scripts/goldens/unigram.py), words that
// are longer than the lattice with one that keeps all of it, and damages the tables to see that nothing leads outside.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "convert/tokenizer_folder.h"
#include "tests/support/files.h"
#include "tests/support/tokenizers.h"
#include "text/token_list.h"
#include "text/tokenizer.h"
#include "text/trie.h"
#include "text/unigram.h"
#include "text/utf8.h"
#include "text/windows.h"

namespace thimble::convert {
namespace {

using UnigramIds = std::vector<std::int32_t>;

std::string ReadUnigramFixture(const std::string& name) { return test::ReadFile(THIMBLE_FIXTURES "/unigram/" + name); }

template <typename T>
std::vector<T> Numbers(const std::string& line) {
  std::istringstream stream(line);
  return {std::istream_iterator<T>(stream), {}};
}

const nlohmann::json& UnigramGoldens() {
  static const auto* goldens = new auto(nlohmann::json::parse(ReadUnigramFixture("goldens.json"), nullptr, false));
  return *goldens;
}

// All texts with the ids of one of the tokenizers.
std::vector<std::pair<std::string, UnigramIds>> UnigramRowsOf(const std::string& name) {
  std::vector<std::pair<std::string, UnigramIds>> rows;
  const auto& golden = UnigramGoldens()["variants"][name];
  for (const auto& [texts, ids] : {std::pair{"texts", "ids"}, {"invalid", "invalid"}}) {
    const auto& list = UnigramGoldens()[texts];
    EXPECT_EQ(list.size(), golden[ids].size());
    for (std::size_t i = 0; i < list.size(); ++i) {
      rows.emplace_back(test::FromHex(list[i]), Numbers<std::int32_t>(golden[ids][i]));
    }
  }
  EXPECT_GT(rows.size(), 150u);
  return rows;
}

class UnigramGolden : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    Result<CompiledTokenizer> compiled =
        CompileTokenizer(ReadUnigramFixture(std::string(GetParam()) + ".json"), "file");
    ASSERT_TRUE(compiled.ok()) << compiled.status().message();
    compiled_ = std::move(*compiled);
  }
  text::Tokenizer Create() { return *text::Tokenizer::Create(compiled_.kind, compiled_.vocabulary); }
  const text::Unigram& kind() { return static_cast<const text::Unigram&>(*compiled_.kind); }

  CompiledTokenizer compiled_;
};

TEST_P(UnigramGolden, IdsEqualTheLibrarys) {
  const text::Tokenizer tokenizer = Create();
  for (const auto& [text, expected] : UnigramRowsOf(GetParam())) {
    EXPECT_EQ(text::ListTokens(tokenizer, {}, text, {.max_tokens = SIZE_MAX}).ids, expected) << text;
  }
}

TEST_P(UnigramGolden, APromptReadsAsTheBeginningOfTheText) {
  const text::Tokenizer tokenizer = Create();
  std::size_t splits = 0;
  for (const auto& [whole, expected] : UnigramRowsOf(GetParam())) {
    const auto* first = reinterpret_cast<const std::uint8_t*>(whole.data());
    const auto* end = first + whole.size();
    for (const auto* next = first;;) {
      const auto split = static_cast<std::size_t>(next - first);
      const std::string_view view = whole;
      ASSERT_EQ(text::ListTokens(tokenizer, view.substr(0, split), view.substr(split), {.max_tokens = SIZE_MAX}).ids,
                expected)
          << whole << " split at " << split;
      ++splits;
      if (next == end || split > 20) break;
      const auto* before = next;
      if (text::DecodeUtf8(next, end) == 0xFFFD && next - before != 3) break;
    }
  }
  EXPECT_GT(splits, 1000u);
}

TEST_P(UnigramGolden, AWindowHasTheIdsOfPromptAndItsWords) {
  if (GetParam() == std::string_view("composed")) return;  // No space begins a word of its.
  const text::Tokenizer tokenizer = Create();
  constexpr std::size_t kMost = 12;
  base::Arena measure;
  (void)text::WindowShape(tokenizer, kMost, measure);
  auto memory = base::Mapping::Create(measure.used());
  ASSERT_TRUE(memory.ok());
  base::Arena arena(memory->bytes());
  text::WindowShape shape(tokenizer, kMost, arena);
  constexpr std::string_view kPrompt = "the: ";
  ASSERT_TRUE(shape.SetPrompt(kPrompt));
  std::string text;
  for (int i = 0; i < 30; ++i) text += i % 3 == 0 ? "and " : "the ";
  text.pop_back();
  text::Windows windows(shape, text, 0);
  std::size_t word = 0, count = 0;
  for (UnigramIds ids(kMost); std::size_t tokens = windows.Next(ids.data()); ids.assign(kMost, 0)) {
    ids.resize(tokens);
    // The words of the text from `word` on, as many as give as many ids.
    UnigramIds expected;
    for (std::size_t next = word; expected.size() < tokens && next < text.size();) {
      next = std::min(text.find(' ', next + 1), text.size());
      expected =
          text::ListTokens(tokenizer, kPrompt,
                           std::string_view(text).substr(word == 0 ? 0 : word + 1, next - (word == 0 ? 0 : word + 1)),
                           {.max_tokens = SIZE_MAX})
              .ids;
      if (expected.size() >= tokens) word = next;
    }
    EXPECT_EQ(ids, expected) << "window " << count;
    ++count;
  }
  EXPECT_GT(count, 1u);
}

TEST_P(UnigramGolden, EveryLengthIsTheBeginningOrTheEndOfTheLibrarysIds) {
  const std::string text = test::FromHex(UnigramGoldens()["long"]);
  const auto whole = Numbers<std::int32_t>(UnigramGoldens()["variants"][GetParam()]["long"]);
  ASSERT_GT(whole.size(), 20u);
  for (const std::uint32_t left : {0, 1}) {
    compiled_.kind->around.truncate_left = left;
    const text::Tokenizer tokenizer = Create();
    for (std::size_t limit = 3; limit < whole.size() + 2; ++limit) {
      UnigramIds ids(limit + 1, -1);
      const text::Encoded encoded = tokenizer.Encode({}, text, std::span(ids).first(limit));
      ASSERT_EQ(ids.back(), -1);
      ids.resize(encoded.tokens);
      UnigramIds expected = whole;
      const auto cut = static_cast<std::ptrdiff_t>(std::min(limit, whole.size()) - 1);
      if (limit < whole.size() && left != 0) expected.erase(expected.begin() + 1, expected.end() - cut);
      if (limit < whole.size() && left == 0) expected.erase(expected.begin() + cut, expected.end() - 1);
      EXPECT_EQ(ids, expected) << limit;
      EXPECT_EQ(encoded.truncated, limit < whole.size()) << limit;
    }
  }
}

// What the library does, with the whole lattice in memory; `text` is one word without marks.
UnigramIds PiecesOf(const text::Unigram& kind, std::string_view text) {
  struct Best {
    double score = 0;
    std::size_t bytes = 0;
    std::uint32_t token = 0;
  };
  constexpr std::uint32_t kUnknownToken = ~0u;
  const text::Trie trie(kind.trie);
  const std::span bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  std::vector<Best> best(text.size() + 1);
  for (std::size_t at = 0; at < text.size();) {
    std::size_t character = 1;
    while (at + character < text.size() && (bytes[at + character] & 0xC0) == 0x80) ++character;
    bool alone = false;
    const auto relax = [&](std::uint32_t token, std::size_t length, double score) {
      Best& to = best[at + length];
      if (to.bytes != 0 && !(score + best[at].score > to.score)) return;
      to = {score + best[at].score, length, token};
    };
    trie.ForEachPrefix(bytes.subspan(at), [&](std::uint32_t token, std::size_t length) {
      alone |= length == character;
      relax(token, length, kind.ScoreOf(token));
    });
    if (!alone) relax(kUnknownToken, character, kind.unknown_score);
    at += character;
  }
  UnigramIds ids;
  bool after_unknown = false;
  for (std::size_t at = text.size(); at > 0; at -= best[at].bytes) {
    const bool unknown = best[at].token == kUnknownToken;
    if (!unknown) ids.push_back(static_cast<std::int32_t>(trie.IdOfToken(best[at].token)));
    if (unknown && !after_unknown) ids.push_back(static_cast<std::int32_t>(kind.unknown));
    after_unknown = unknown;
  }
  return {ids.rbegin(), ids.rend()};
}

// Pieces of 1, 2, 4, 8 and 16 of a character, of which no beginning of a long run is certain before its end.
TEST(UnigramLattice, WordsOfAnyLengthAreThoseOfAWholeLattice) {
  std::string vocabulary = R"(["<unk>",0],["#",-9],["<s>",0],["</s>",0])";
  for (const char* one : {"-", "=", "a"}) {
    std::string run = one;
    for (const double score : {-6.1, -6.7, -7.3, -7.7, -8.9}) {
      vocabulary += ",[\"" + run + "\"," + std::to_string(score) + "]";
      run += run;
    }
  }
  vocabulary += R"(,["ab",-5.5],["b",-7.25],["ba",-6.5],["abab",-11.5],["-a",-9.5])";
  const Result<CompiledTokenizer> compiled =
      CompileTokenizer(R"({"model":{"type":"Unigram","unk_id":0,"vocab":[)" + vocabulary + "]}}", "file");
  ASSERT_TRUE(compiled.ok()) << compiled.status().message();
  const text::Tokenizer tokenizer = *text::Tokenizer::Create(compiled->kind, compiled->vocabulary);
  const auto& kind = static_cast<const text::Unigram&>(*compiled->kind);
  std::mt19937 random(11);
  std::vector<std::string> texts;
  for (const std::size_t size : {250u, 255u, 256u, 700u, 1020u, 1023u, 1024u, 1025u, 3000u, 20000u, 100001u}) {
    texts.push_back(std::string(size, '-'));
    texts.push_back("a" + std::string(size, '-') + "xyz" + std::string(size / 2, 'a'));
  }
  for (int i = 0; i < 60; ++i) {
    std::string text;
    while (text.size() < 6000) {
      const std::string_view one = std::array<std::string_view, 6>{"-", "=", "a", "ab", "?", "\xC3\xA9"}[random() % 6];
      for (std::size_t times = 1 + random() % (i % 2 == 0 ? 900 : 9); times > 0; --times) text += one;
    }
    texts.push_back(std::move(text));
  }
  for (const std::string& text : texts) {
    const UnigramIds expected = PiecesOf(kind, text);
    ASSERT_EQ(text::ListTokens(tokenizer, {}, text, {.max_tokens = SIZE_MAX}).ids, expected) << text.substr(0, 100);
  }
}

class UnigramOffsets : public UnigramGolden {};

TEST_P(UnigramOffsets, EqualTheLibrarys) {
  const text::Tokenizer tokenizer = Create();
  const auto& golden = UnigramGoldens()["variants"][GetParam()];
  std::size_t compared = 0;
  for (std::size_t i = 0; i < golden["offsets"].size(); ++i) {
    if (golden["offsets"][i].is_null()) continue;
    const std::string text = test::FromHex(UnigramGoldens()["texts"][i]);
    const Tokens found = text::ListTokens(tokenizer, {}, text, {.max_tokens = SIZE_MAX, .offsets = true});
    std::vector<std::size_t> numbers;
    for (const ByteRange& range : found.offsets) numbers.insert(numbers.end(), {range.begin, range.end});
    EXPECT_EQ(numbers, Numbers<std::size_t>(golden["offsets"][i])) << text;
    ++compared;
  }
  EXPECT_GT(compared, 80u);
}

TEST_P(UnigramGolden, DamagedTablesAreRefusedOrStayWithinBounds) {
  const std::size_t vocabulary = compiled_.vocabulary;
  std::vector<std::string> texts;
  for (const auto& [text, ids] : UnigramRowsOf(GetParam())) texts.push_back(text);
  test::ForEachDamaged(kind(), vocabulary, 1500, 100, [&](const text::Tokenizer& tokenizer, std::mt19937& random) {
    for (int i = 0; i < 20; ++i) {
      const std::string& text = texts[random() % texts.size()];
      test::ExpectWithin(text::ListTokens(tokenizer, {}, text, {.max_tokens = 200, .offsets = true}), text, vocabulary);
    }
  });
}

TEST(UnigramReader, RefusesByNameWhatItDoesNotDo) {
  const nlohmann::json whole = nlohmann::json::parse(ReadUnigramFixture("xlmr.json"), nullptr, false);
  const auto message = [&whole](const char* pointer, const nlohmann::json& value) {
    nlohmann::json changed = whole;
    changed[nlohmann::json::json_pointer(pointer)] = value;
    const Result<CompiledTokenizer> compiled = CompileTokenizer(changed.dump(), "file");
    return compiled.ok() ? std::string() : compiled.status().message();
  };
  const auto has = [&](const char* pointer, const char* value, std::string_view part) {
    const std::string found = message(pointer, nlohmann::json::parse(value, nullptr, false));
    return found.find(part) != std::string::npos ? testing::AssertionSuccess() : testing::AssertionFailure() << found;
  };
  EXPECT_TRUE(has("/model/unk_id", "null", "model.unk_id is missing"));
  EXPECT_TRUE(has("/model/unk_id", "100000", "model.unk_id is 100000"));
  EXPECT_TRUE(has("/model/vocab/7", R"(["a"])", "model.vocab[7] is not a pair"));
  EXPECT_TRUE(has("/model/vocab/7/1", "1e300", "model.vocab[7] has a score"));
  EXPECT_TRUE(has("/model/vocab/3/1", "1", "no logarithms"));
  EXPECT_TRUE(has("/model/vocab/7/0", ('"' + std::string(300, 'a') + '"').c_str(), "longer than 255 bytes"));
  EXPECT_TRUE(has("/normalizer/type", R"("BertNormalizer")", "normalizer.type is \"BertNormalizer\""));
  EXPECT_TRUE(has("/normalizer/precompiled_charsmap", R"("?")", "not base64"));
  EXPECT_TRUE(has("/normalizer/precompiled_charsmap", R"("////fw==")", "shorter than it says"));
  EXPECT_TRUE(has("/normalizer", R"({"type":"Replace","pattern":{"Regex":"a|b"},"content":""})", "\"a|b\""));
  EXPECT_TRUE(has("/normalizer", R"({"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Lowercase"}]})",
                  "Lowercase behind NFC"));
  EXPECT_TRUE(has("/pre_tokenizer", R"({"type":"ByteLevel"})", "pre_tokenizer.type is \"ByteLevel\""));
  EXPECT_TRUE(has("/pre_tokenizer", R"({"type":"Metaspace","replacement":"ab"})", "not one character"));
  EXPECT_TRUE(has("/pre_tokenizer", R"({"type":"Metaspace","replacement":"_","add_prefix_space":false})",
                  "add_prefix_space is false"));
  EXPECT_TRUE(has("/pre_tokenizer", R"({"type":"Metaspace","replacement":"_","prepend_scheme":"last"})", "\"last\""));
  // A row of bytes with gaps.
  nlohmann::json some = whole;
  some["model"]["byte_fallback"] = true;
  some["model"]["vocab"].push_back({"<0x41>", -20});
  EXPECT_NE(CompileTokenizer(some.dump(), "file").status().message().find("1 of 256"), std::string::npos);
}

constexpr const char* kUnigramVariants[] = {"xlmr",  "e5",    "t5",      "albert",   "bytes",  "slow",
                                            "never", "added", "trained", "composed", "ordered"};
INSTANTIATE_TEST_SUITE_P(Variants, UnigramGolden, testing::ValuesIn(kUnigramVariants),
                         [](const auto& variant) { return std::string(variant.param); });
INSTANTIATE_TEST_SUITE_P(Variants, UnigramOffsets, testing::Values("xlmr", "bytes", "trained"),
                         [](const auto& variant) { return std::string(variant.param); });

}  // namespace
}  // namespace thimble::convert
