// Tests of BPE with tokenizers made here: words of any length against joining rule by rule, what is refused, and
// damaged tables. The ids and places of real layouts are in tokenizer_class_test.cc.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "convert/tokenizer_folder.h"
#include "tests/support/tokenizers.h"
#include "text/bpe.h"
#include "text/byte_level.h"
#include "text/token_list.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace thimble::convert {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<std::int32_t>;
using Merges = std::vector<std::pair<std::string, std::string>>;

std::string EntryOf(std::uint8_t byte) {
  std::uint8_t utf8[4];
  return {reinterpret_cast<const char*>(utf8), text::EncodeUtf8(text::CharacterOfByte(byte), utf8)};
}

// All bytes and what `merges` make, numbered in this order.
Json MakeBpe(const Merges& merges) {
  Json vocabulary = Json::object();
  for (int byte = 0; byte < 256; ++byte) vocabulary[EntryOf(static_cast<std::uint8_t>(byte))] = byte;
  Json list = Json::array();
  for (const auto& [left, right] : merges) {
    list.push_back({left, right});
    if (!vocabulary.contains(left + right)) vocabulary[left + right] = vocabulary.size();
  }
  return {{"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", list}}},
          {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}}}};
}

// The same, one join at a time.
Ids JoinRuleByRule(const Json& bpe, std::string_view word) {
  std::map<std::pair<std::string, std::string>, std::size_t> ranks;
  for (std::size_t i = 0; i < bpe["model"]["merges"].size(); ++i) {
    const Json& merge = bpe["model"]["merges"][i];
    ranks[{merge[0], merge[1]}] = i;
  }
  std::vector<std::string> symbols;
  for (char byte : word) symbols.push_back(EntryOf(static_cast<std::uint8_t>(byte)));
  const auto rank_of = [&](std::size_t i) {
    const auto found = ranks.find({symbols[i], symbols[i + 1]});
    return found == ranks.end() ? SIZE_MAX : found->second;
  };
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i + 1 < symbols.size(); ++i) found.push_back(rank_of(i));
  while (!found.empty()) {
    const auto first = std::min_element(found.begin(), found.end());
    if (*first == SIZE_MAX) break;
    const auto at = static_cast<std::size_t>(first - found.begin());
    symbols[at] += symbols[at + 1];
    symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(at + 1));
    found.erase(first);
    if (at > 0) found[at - 1] = rank_of(at - 1);
    if (at < found.size()) found[at] = rank_of(at);
  }
  Ids ids;
  for (const std::string& symbol : symbols) ids.push_back(bpe["model"]["vocab"][symbol]);
  return ids;
}

class CompiledBpe {
 public:
  explicit CompiledBpe(const Json& bpe) : compiled_(Compile(bpe)), tokenizer_(Create(compiled_)) {}

  const CompiledTokenizer& compiled() const { return compiled_; }
  const text::Tokenizer& tokenizer() const { return tokenizer_; }
  Ids Encode(std::string_view text) const {
    return text::ListTokens(tokenizer_, {}, text, {.max_tokens = 1 << 24}).ids;
  }

 private:
  static CompiledTokenizer Compile(const Json& bpe) {
    Result<CompiledTokenizer> compiled = CompileTokenizer(bpe.dump(), "bpe");
    EXPECT_TRUE(compiled.ok()) << compiled.status().message();
    return std::move(*compiled);
  }
  static text::Tokenizer Create(const CompiledTokenizer& compiled) {
    auto tokenizer = text::Tokenizer::Create(compiled.kind, compiled.vocabulary);
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    return *tokenizer;
  }

  CompiledTokenizer compiled_;
  text::Tokenizer tokenizer_;
};

std::string RandomWord(std::mt19937& random, std::string_view letters, std::size_t size) {
  std::string word;
  while (word.size() < size) word += letters[random() % letters.size()];
  return word;
}

TEST(Bpe, WordsOfAnyLengthEqualJoiningRuleByRule) {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    const std::string_view letters = std::string_view("abcdef").substr(0, 1 + random() % 6);
    std::vector<std::string> symbols;
    for (char letter : letters) symbols.emplace_back(1, letter);
    Merges merges;
    for (std::size_t count = 1 + random() % 80; count > 0; --count) {
      std::string left = symbols[random() % symbols.size()], right = symbols[random() % symbols.size()];
      if (left.size() + right.size() > 40) continue;
      symbols.push_back(left + right);
      merges.emplace_back(std::move(left), std::move(right));
    }
    const Json bpe = MakeBpe(merges);
    Result<CompiledTokenizer> compiled = CompileTokenizer(bpe.dump(), "bpe");
    if (!compiled.ok()) {
      // Rules that make one entry in two ways can be out of order.
      EXPECT_NE(compiled.status().message().find("in which they were learned"), std::string::npos);
      continue;
    }
    const CompiledBpe tokenizer(bpe);
    for (const std::size_t size : {1, 7, 48, 49, 90, 1023, 1024, 1025, 1500, 2600}) {
      const std::string word = RandomWord(random, letters, size);
      ASSERT_EQ(tokenizer.Encode(word), JoinRuleByRule(bpe, word)) << word;
    }
  }
}

TEST(Bpe, TheEndOfALongWordCanDecideItsBeginning) {
  // Neighbours in a chain of pairs of letters join from its end, so that whether the first one joins depends on how
  // many there are.
  std::vector<std::string> chain;
  for (char a = 'A'; a <= 'Z'; ++a) {
    for (char b = 'a'; b <= 'z'; ++b) chain.push_back({a, b});
  }
  Merges merges;
  for (const std::string& pair : chain) merges.emplace_back(pair.substr(0, 1), pair.substr(1));
  for (std::size_t i = chain.size() - 1; i > 0; --i) merges.emplace_back(chain[i - 1], chain[i]);
  const Json bpe = MakeBpe(merges);
  const CompiledBpe tokenizer(bpe);
  std::string word;
  for (const std::string& pair : chain) word += pair;
  ASSERT_GT(word.size(), 1300u);
  for (const std::size_t less : {0, 2, 3, 4, 200, 330}) {
    const std::string part = word.substr(0, word.size() - less);
    EXPECT_EQ(tokenizer.Encode(part), JoinRuleByRule(bpe, part)) << less;
    const std::string twice = part + word;
    EXPECT_EQ(tokenizer.Encode(twice), JoinRuleByRule(bpe, twice)) << less;
  }
}

TEST(Bpe, LongWordsHaveTheirPlaces) {
  const CompiledBpe tokenizer(MakeBpe({{"a", "b"}, {"ab", "ab"}, {"b", "a"}}));
  std::mt19937 random(5);
  const std::string text = "x " + RandomWord(random, "ab", 3000) + " y";
  const Tokens tokens = text::ListTokens(tokenizer.tokenizer(), {}, text, {.max_tokens = 9000, .offsets = true});
  std::size_t end = 0;
  for (std::size_t i = 0; i < tokens.ids.size(); ++i) {
    const ByteRange range = tokens.offsets[i];
    ASSERT_EQ(range.begin, end) << i;
    ASSERT_GT(range.end, range.begin);
    end = range.end;
  }
  EXPECT_EQ(end, text.size());
}

TEST(Bpe, RefusesWhatItDoesNotFollow) {
  const Json valid = MakeBpe({{"a", "b"}, {"ab", "c"}});
  ASSERT_TRUE(CompileTokenizer(valid.dump(), "bpe").ok());
  const Code corrupt = Code::kCorrupt, unsupported = Code::kUnsupported;
  struct Refusal {
    const char* patch;
    Code code;
    std::string_view message;
  };
  const Refusal refusals[] = {
      {R"({"model":{"merges":["a x"]}})", corrupt, "model.merges[0]: \"x\" is not in model.vocab"},
      {R"({"model":{"merges":["a c"]}})", corrupt, "model.merges[0]: \"ac\" is not in model.vocab"},
      {R"({"model":{"merges":[["a","zz"]]}})", corrupt, "\"zz\" is not in model.vocab"},
      {R"({"model":{"merges":["a b c"]}})", corrupt, "is not two parts with a space between them"},
      {R"({"model":{"merges":[["a","b","c"]]}})", corrupt, "is not a pair of strings"},
      {R"({"model":{"merges":[3]}})", corrupt, "is not a pair of strings"},
      {R"({"model":{"merges":null}})", corrupt, "model.merges is not an array"},
      {R"({"model":{"vocab":[]}})", corrupt, "model.vocab is not an object"},
      {R"({"model":{"merges":["ab c","a b"]}})", unsupported, "in the order in which they were learned"},
      {R"({"model":{"vocab":{"abc":3}}})", corrupt, "id 3 belongs to"},
      {R"({"model":{"vocab":{"abc":-3}}})", corrupt, "is not a whole number"},
      {R"({"model":{"vocab":{"abc":8388608}}})", corrupt, "is far beyond the size of the vocabulary"},
      {R"({"model":{"byte_fallback":true}})", unsupported, "model.byte_fallback is true"},
      {R"({"model":{"dropout":0.1}})", unsupported, "model.dropout is"},
      {R"({"model":{"end_of_word_suffix":"</w>"}})", unsupported, "model.end_of_word_suffix is \"</w>\""},
      {R"({"model":{"unk_token":"<u>"}})", corrupt, "model.unk_token \"<u>\" is not in the vocabulary"},
      {R"({"model":{"unk_token":"ab"}})", unsupported, "has the unknown token"},
      {R"({"normalizer":{"type":"NFC"}})", unsupported, "normalizer is \"NFC\""},
      {R"({"pre_tokenizer":null})", unsupported, "pre_tokenizer is null"},
      {R"({"pre_tokenizer":{"type":"Split"}})", unsupported, "pre_tokenizer.type is \"Split\""},
      {R"({"pre_tokenizer":{"use_regex":false}})", unsupported, "use_regex is false"},
      {R"({"added_tokens":[{"id":258,"content":"<a>","normalized":true},{"id":259,"content":"<a>b"}]})", unsupported,
       "can overlap"},
      {R"({"added_tokens":[{"id":258,"content":" <a>","lstrip":true}]})", unsupported, "has a space at its edge"},
  };
  for (const Refusal& refusal : refusals) {
    Json changed = valid;
    if (refusal.message.find("\"x\"") != std::string_view::npos) changed["model"]["vocab"].erase("x");
    changed.merge_patch(Json::parse(refusal.patch));
    const Result<CompiledTokenizer> compiled = CompileTokenizer(changed.dump(), "bpe");
    ASSERT_FALSE(compiled.ok()) << refusal.message;
    EXPECT_EQ(CodeName(compiled.status().code()), CodeName(refusal.code)) << refusal.message;
    EXPECT_NE(compiled.status().message().find(refusal.message), std::string::npos) << compiled.status().message();
  }
  Merges doubling;
  for (std::string part = "="; part.size() < 200; part += part) doubling.emplace_back(part, part);
  const Result<CompiledTokenizer> compiled = CompileTokenizer(MakeBpe(doubling).dump(), "bpe");
  ASSERT_FALSE(compiled.ok());
  EXPECT_NE(compiled.status().message().find("of 256 bytes, at most 255"), std::string::npos);
}

TEST(Bpe, DamagedTablesAreRefusedOrStayWithinBounds) {
  Merges merges = {{"a", "b"}, {"ab", "ab"}, {"b", "a"}, {"c", "ab"}, {"a", "a"}, {"aa", "aa"}, {"c", "c"}};
  const CompiledBpe original(MakeBpe(merges));
  const std::size_t vocabulary = original.compiled().vocabulary;
  const auto& kind = static_cast<const text::Bpe&>(*original.compiled().kind);
  test::ForEachDamaged(kind, vocabulary, 1500, 100, [&](const text::Tokenizer& tokenizer, std::mt19937& random) {
    for (const std::size_t size : {5, 60, 1100, 2100}) {
      const std::string text = RandomWord(random, "abcc", size) + " d's  ab\n";
      test::ExpectWithin(text::ListTokens(tokenizer, {}, text, {.max_tokens = 9000, .offsets = true}), text,
                         vocabulary);
    }
  });
}

}  // namespace
}  // namespace thimble::convert
