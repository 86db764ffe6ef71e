// Compares compiled tokenizers with ids that the Rust library gave (scripts/goldens/tokenizer.py), and damages the
// tables to see that nothing leads outside them.

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
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
#include "text/utf8.h"
#include "text/windows.h"
#include "text/wordpiece.h"

namespace thimble::convert {
namespace {

using test::FromHex;
using Ids = std::vector<std::int32_t>;

std::string ReadFixture(const std::string& name) { return test::ReadFile(THIMBLE_FIXTURES "/tokenizer/" + name); }

// One of the fixture's tokenizers with what the library gives for it.
class Variant {
 public:
  explicit Variant(const std::string& name) {
    Result<CompiledTokenizer> compiled = CompileTokenizer(ReadFixture(name + ".json"), name);
    EXPECT_TRUE(compiled.ok()) << compiled.status().message();
    compiled_ = std::move(*compiled);
    golden_ = nlohmann::json::parse(ReadFixture("goldens.json"), nullptr, false)["variants"][name];
    EXPECT_GT(golden_["rows"].size(), 200u);
  }

  CompiledTokenizer& compiled() { return compiled_; }
  nlohmann::json& golden() { return golden_; }

 private:
  CompiledTokenizer compiled_;
  nlohmann::json golden_;
};

std::vector<std::size_t> Flat(const std::vector<ByteRange>& ranges) {
  std::vector<std::size_t> numbers;
  for (const ByteRange& range : ranges) numbers.insert(numbers.end(), {range.begin, range.end});
  return numbers;
}

class Golden : public testing::TestWithParam<const char*> {};

TEST_P(Golden, IdsEqualTheLibrarys) {
  Variant variant(GetParam());
  auto tokenizer = text::Tokenizer::Create(variant.compiled().kind, variant.compiled().vocabulary);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  for (const auto& row : variant.golden()["rows"]) {
    Ids ids(1000);
    text::Encoded encoded = tokenizer->Encode({}, FromHex(row[0]), ids);
    ids.resize(encoded.tokens);
    EXPECT_EQ(ids, row[1].get<Ids>()) << row[0];
    EXPECT_FALSE(encoded.truncated);
  }
}

void ExpectCuts(Variant& variant, const char* key) {
  auto tokenizer = text::Tokenizer::Create(variant.compiled().kind, variant.compiled().vocabulary);
  ASSERT_TRUE(tokenizer.ok());
  const std::string text = FromHex(variant.golden()["long"]);
  const auto& cuts = variant.golden()[key];
  ASSERT_GT(cuts.size(), 20u);
  const Ids whole = cuts.back()[1];
  for (const auto& cut : cuts) {
    const std::size_t limit = cut[0];
    // Nothing may be written behind the limit.
    Ids ids(limit + 1, -1);
    text::Encoded encoded = tokenizer->Encode({}, text, std::span(ids).first(limit));
    EXPECT_EQ(ids.back(), -1);
    ids.resize(encoded.tokens);
    EXPECT_EQ(ids, cut[1].get<Ids>()) << limit;
    EXPECT_EQ(encoded.truncated, limit < whole.size()) << limit;
  }
}

TEST_P(Golden, TruncationEqualsTheLibrarysAtEveryLength) {
  Variant variant(GetParam());
  ExpectCuts(variant, "cuts");
}

TEST_P(Golden, TruncationOnTheLeftEqualsTheLibrarysAtEveryLength) {
  Variant variant(GetParam());
  variant.compiled().kind->around.truncate_left = 1;
  ExpectCuts(variant, "left_cuts");
}

TEST_P(Golden, APromptReadsAsTheBeginningOfTheText) {
  Variant variant(GetParam());
  auto tokenizer = text::Tokenizer::Create(variant.compiled().kind, variant.compiled().vocabulary);
  ASSERT_TRUE(tokenizer.ok());
  std::size_t splits = 0;
  for (const auto& row : variant.golden()["rows"]) {
    const std::string whole = FromHex(row[0]);
    const Ids expected = row[1];
    const std::string_view view = whole;
    const auto* first = reinterpret_cast<const std::uint8_t*>(whole.data());
    const auto* end = first + whole.size();
    // A prompt is valid UTF-8: it ends before any character that is not.
    for (const auto* next = first;;) {
      const auto split = static_cast<std::size_t>(next - first);
      Ids ids(1000);
      ids.resize(tokenizer->Encode(view.substr(0, split), view.substr(split), ids).tokens);
      ASSERT_EQ(ids, expected) << row[0] << " split at " << split;
      ASSERT_EQ(tokenizer->Count(view.substr(0, split), view.substr(split)), expected.size());
      ++splits;
      if (next == end || split > 30) break;
      const auto* before = next;
      if (text::DecodeUtf8(next, end) == 0xFFFD && next - before != 3) break;
    }
  }
  EXPECT_GT(splits, 1000u);
}

// The list has the same ids as what is embedded, however it is cut.
TEST_P(Golden, ListsEqualEncoded) {
  Variant variant(GetParam());
  for (const std::uint32_t left : {0, 1}) {
    variant.compiled().kind->around.truncate_left = left;
    auto tokenizer = text::Tokenizer::Create(variant.compiled().kind, variant.compiled().vocabulary);
    ASSERT_TRUE(tokenizer.ok());
    const std::size_t prefix = tokenizer->num_prefix(), special = tokenizer->num_special();
    const std::string text = FromHex(variant.golden()["long"]);
    const Ids whole = text::ListTokens(*tokenizer, {}, text, {.max_tokens = SIZE_MAX}).ids;
    EXPECT_EQ(whole, variant.golden()["cuts"].back()[1].get<Ids>());
    const Ids own(whole.begin() + prefix, whole.end() - (special - prefix));
    for (std::size_t limit = special + 1; limit < whole.size() + 3; ++limit) {
      for (const text::Cut cut : {text::Cut::kText, text::Cut::kAll}) {
        Ids ids(limit + 1, -1);
        const text::Encoded encoded = tokenizer->Encode({}, text, std::span(ids).first(limit), cut);
        EXPECT_EQ(ids.back(), -1);
        ids.resize(encoded.tokens);
        if (cut == text::Cut::kAll) {
          EXPECT_EQ(ids, Ids(whole.begin(), whole.begin() + std::min(limit, whole.size()))) << limit;
        }
        const Tokens list = text::ListTokens(*tokenizer, {}, text, {.max_tokens = limit, .cut = cut});
        EXPECT_EQ(list.ids, ids) << limit;
        EXPECT_EQ(list.truncated, encoded.truncated) << limit;
        EXPECT_EQ(list.truncated, limit < whole.size()) << limit;
        const std::size_t most = std::min(limit, own.size());
        const bool first = left == 0 || cut == text::Cut::kAll;
        EXPECT_EQ(text::ListTokens(*tokenizer, {}, text, {.max_tokens = limit, .cut = cut, .special = false}).ids,
                  Ids(first ? own.begin() : own.end() - most, first ? own.begin() + most : own.end()))
            << limit;
      }
    }
  }
}

// Also where a byte is none of UTF-8.
TEST_P(Golden, OffsetsAreInOrderAndWithinTheText) {
  Variant variant(GetParam());
  auto tokenizer = text::Tokenizer::Create(variant.compiled().kind, variant.compiled().vocabulary);
  ASSERT_TRUE(tokenizer.ok());
  for (const auto& row : variant.golden()["rows"]) {
    const std::string text = FromHex(row[0]);
    const Tokens found = text::ListTokens(*tokenizer, {}, text, {.max_tokens = 500, .special = false, .offsets = true});
    ASSERT_EQ(found.offsets.size() + tokenizer->num_special(), row[1].size());
    ByteRange last;
    for (const ByteRange& range : found.offsets) {
      ASSERT_LT(range.begin, range.end) << row[0];
      ASSERT_LE(range.end, text.size()) << row[0];
      ASSERT_LE(last.begin, range.begin) << row[0];
      last = range;
    }
  }
}

class WithOffsets : public testing::TestWithParam<const char*> {};

TEST_P(WithOffsets, OffsetsAndPairsEqualTheLibrarys) {
  Variant variant(GetParam());
  const auto golden = nlohmann::json::parse(ReadFixture("offsets.json"), nullptr, false)["variants"][GetParam()];
  auto tokenizer = text::Tokenizer::Create(variant.compiled().kind, variant.compiled().vocabulary);
  ASSERT_TRUE(tokenizer.ok());
  ASSERT_GT(golden["rows"].size(), 90u);
  for (const auto& row : golden["rows"]) {
    const Tokens found = text::ListTokens(*tokenizer, {}, FromHex(row[0]), {.max_tokens = SIZE_MAX, .offsets = true});
    EXPECT_EQ(Flat(found.offsets), row[1].get<std::vector<std::size_t>>()) << row;
    // A prompt is the beginning of the one string.
    const std::string text = FromHex(row[0]);
    std::size_t split = text.size() / 2;
    while (split < text.size() && (text[split] & 0xC0) == 0x80) ++split;
    const Tokens prompted = text::ListTokens(*tokenizer, text.substr(0, split), text.substr(split),
                                             {.max_tokens = SIZE_MAX, .offsets = true});
    EXPECT_EQ(Flat(prompted.offsets), Flat(found.offsets)) << row;
  }
  ASSERT_EQ(golden["pairs"].size(), 4u);
  for (const auto& row : golden["pairs"]) {
    const std::string second = FromHex(row[1]);
    const Tokens found =
        text::ListTokens(*tokenizer, {}, FromHex(row[0]), {.max_tokens = SIZE_MAX, .offsets = true, .pair = second});
    EXPECT_EQ(found.ids, row[2].get<Ids>()) << row;
    EXPECT_EQ(found.type_ids, row[3].get<std::vector<std::uint8_t>>()) << row;
    EXPECT_EQ(Flat(found.offsets), row[4].get<std::vector<std::size_t>>()) << row;
  }
}

INSTANTIATE_TEST_SUITE_P(Variants, WithOffsets,
                         testing::Values("uncased", "cased", "added", "single_word", "nfkd_cleaned", "replaced"),
                         [](const auto& variant) { return std::string(variant.param); });

TEST_P(Golden, WindowsHoldEveryTokenInOrder) {
  Variant variant(GetParam());
  auto tokenizer = text::Tokenizer::Create(variant.compiled().kind, variant.compiled().vocabulary);
  ASSERT_TRUE(tokenizer.ok());
  const std::string prompt = "query: ";
  std::string all;
  for (const auto& row : variant.golden()["rows"]) all += FromHex(row[0]) + " ";
  all += std::string(80, 'q') + " end";
  const std::size_t prefix = tokenizer->num_prefix(), special = tokenizer->num_special();
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    const std::string text = all.substr(random() % all.size(), random() % (round % 10 == 0 ? all.size() : 400));
    const std::string_view before = round % 2 == 0 ? std::string_view() : std::string_view(prompt);
    Ids whole(text.size() + prompt.size() + special);
    const std::size_t count = tokenizer->Encode(before, text, whole).tokens;
    Ids alone(100);
    const std::size_t prompt_tokens = tokenizer->Encode({}, before, alone).tokens - special;

    const std::size_t max_tokens = special + prompt_tokens + 1 + random() % 40;
    base::Mapping memory = *base::Mapping::Create(16 * max_tokens + 1024);
    base::Arena arena(memory.bytes());
    text::WindowShape shape(*tokenizer, max_tokens, arena);
    ASSERT_TRUE(shape.SetPrompt(before));
    ASSERT_EQ(shape.prompt_tokens(), prompt_tokens);
    const std::size_t overlap = random() % (shape.room() / 2 + 1);
    text::Windows windows(shape, text, overlap);
    std::size_t next = prefix + prompt_tokens;  // The first token of the whole that no window had.
    Ids ids(max_tokens + 1, -1);
    while (const std::size_t tokens = windows.Next(ids.data())) {
      ASSERT_LE(tokens, max_tokens);
      ASSERT_EQ(ids[max_tokens], -1) << "written behind the window";
      const std::size_t own = tokens - special - prompt_tokens;
      ASSERT_TRUE(std::equal(ids.begin(), ids.begin() + prefix + prompt_tokens, whole.begin()));
      // It begins at most `overlap` tokens back, and brings something new.
      const std::size_t fresh = windows.tokens() - (next + special - prefix);
      ASSERT_LE(fresh, own);
      ASSERT_LE(own - fresh, overlap);
      ASSERT_TRUE(fresh > 0 || count == special + prompt_tokens);
      const auto first = ids.begin() + prefix + prompt_tokens;
      ASSERT_TRUE(std::equal(first, first + own, whole.begin() + next - (own - fresh)));
      next += fresh;
    }
    ASSERT_EQ(next + special - prefix, count);
  }
}

TEST_P(Golden, DamagedTablesAreRefusedOrStayWithinBounds) {
  Variant variant(GetParam());
  text::WordPiece kind = static_cast<const text::WordPiece&>(*variant.compiled().kind);
  ASSERT_EQ(kind.ListFields().size(), 20u + 13u);
  const std::size_t vocabulary = variant.compiled().vocabulary;
  std::vector<std::string> texts;
  for (const auto& row : variant.golden()["rows"]) texts.push_back(FromHex(row[0]));
  test::ForEachDamaged(kind, vocabulary, 3000, 300, [&](const text::Tokenizer& tokenizer, std::mt19937& random) {
    for (int i = 0; i < 20; ++i) {
      Tokens tokens;
      tokens.ids.resize(tokenizer.num_special() + 1 + random() % 30);
      const std::string& text = texts[random() % texts.size()];
      const text::Encoded encoded = tokenizer.Encode({}, text, tokens.ids);
      ASSERT_LE(encoded.tokens, tokens.ids.size());
      tokens.ids.resize(encoded.tokens);
      test::ExpectWithin(tokens, text, vocabulary);
      if (i % 4 != 0) continue;
      test::ExpectWithin(text::ListTokens(tokenizer, {}, text, {.max_tokens = 40, .offsets = true}), text, vocabulary);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Variants, Golden,
                         testing::Values("uncased", "cased", "stripped", "lowered", "added", "single_word",
                                         "lower_first", "lower_last", "lower_twice", "nfd", "nfd_stripped", "nfkd",
                                         "nfkd_cleaned", "nfkc_bert", "nfc_bert", "stripped_only", "replaced"),
                         [](const auto& variant) { return std::string(variant.param); });

}  // namespace
}  // namespace thimble::convert
