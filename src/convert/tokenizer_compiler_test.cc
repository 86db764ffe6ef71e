// Tests of what the tokenizer compiler accepts and how it refuses the rest.

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "convert/tokenizer_folder.h"
#include "text/tokenizer.h"

namespace thimble::convert {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<std::int32_t>;

Json Added(const char* content, int id) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", false}};
}

// A valid tokenizer of ten pieces.
Json Valid() {
  Json json;
  json["model"] = {{"type", "WordPiece"},
                   {"unk_token", "[UNK]"},
                   {"continuing_subword_prefix", "##"},
                   {"max_input_chars_per_word", 100}};
  json["model"]["vocab"] = {{"[PAD]", 0}, {"[UNK]", 1}, {"[CLS]", 2}, {"[SEP]", 3}, {"a", 4},
                            {"##b", 5},   {"ab", 6},    {"##", 7},    {"c", 8},     {"\xC3\xA9", 9}};
  json["normalizer"] = {{"type", "BertNormalizer"},
                        {"clean_text", true},
                        {"handle_chinese_chars", true},
                        {"strip_accents", nullptr},
                        {"lowercase", true}};
  json["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
  json["post_processor"] = {{"type", "BertProcessing"}, {"cls", {"[CLS]", 2}}, {"sep", {"[SEP]", 3}}};
  json["added_tokens"] = Json::array({Added("[UNK]", 1), Added("[MASK]", 10)});
  return json;
}

Ids Encode(const Json& json, std::string_view text) {
  Result<CompiledTokenizer> compiled = CompileTokenizer(json.dump(), "t.json");
  EXPECT_TRUE(compiled.ok()) << compiled.status().message();
  if (!compiled.ok()) return {};
  auto tokenizer = text::Tokenizer::Create(compiled->kind, compiled->vocabulary);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  if (!tokenizer.ok()) return {};
  Ids ids(100);
  ids.resize(tokenizer->Encode({}, text, ids).tokens);
  return ids;
}

TEST(TokenizerCompiler, CompilesPiecesAddedTokensAndSpecialTokens) {
  EXPECT_EQ(Encode(Valid(), "ab abb A[MASK]C"), (Ids{2, 6, 6, 5, 4, 10, 8, 3}));
}

TEST(TokenizerCompiler, CountsTheVocabularyByTheHighestId) {
  Result<CompiledTokenizer> compiled = CompileTokenizer(Valid().dump(), "t.json");
  ASSERT_TRUE(compiled.ok());
  EXPECT_EQ(compiled->vocabulary, 11u);
}

TEST(TokenizerCompiler, PadsEveryArrayToAPositiveMultipleOf64Bytes) {
  Result<CompiledTokenizer> compiled = CompileTokenizer(Valid().dump(), "t.json");
  ASSERT_TRUE(compiled.ok());
  std::set<std::string_view> names;
  for (const text::Field& field : compiled->kind->ListFields()) {
    EXPECT_TRUE(names.insert(field.name).second) << field.name;
    std::visit(
        [&](const auto* value) {
          if constexpr (!std::is_same_v<decltype(value), const std::uint32_t*>) {
            EXPECT_EQ(value->size_bytes() % 64, 0u) << field.name;
            EXPECT_EQ(value->empty(), field.optional) << field.name;
          }
        },
        field.value);
  }
  EXPECT_EQ(names.size(), 33u);
}

TEST(TokenizerCompiler, ReadsATemplateWithTextAndSpecialTokensInAnyPlace) {
  Json json = Valid();
  Json cls = {{"SpecialToken", {{"id", "[CLS]"}, {"type_id", 0}}}};
  Json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  json["post_processor"] = {{"type", "TemplateProcessing"},
                            {"single", {cls, text}},
                            {"special_tokens", {{"[CLS]", {{"id", "[CLS]"}, {"ids", {2, 3}}}}}}};
  EXPECT_EQ(Encode(json, "a"), (Ids{2, 3, 4}));
  json["post_processor"]["single"] = Json::array({text});
  EXPECT_EQ(Encode(json, "a"), (Ids{4}));
  json["post_processor"]["single"] = {text, cls};
  EXPECT_EQ(Encode(json, "a"), (Ids{4, 2, 3}));
  json["post_processor"] = nullptr;
  EXPECT_EQ(Encode(json, "a"), (Ids{4}));
}

TEST(TokenizerCompiler, TakesStripAccentsFromLowercaseUnlessGiven) {
  Json json = Valid();
  const char* accented = "\xC3\xA9";
  EXPECT_EQ(Encode(json, accented), (Ids{2, 1, 3}));  // "e" is not in the vocabulary.
  json["normalizer"]["strip_accents"] = false;
  EXPECT_EQ(Encode(json, accented), (Ids{2, 9, 3}));
  json["normalizer"]["strip_accents"] = nullptr;
  json["normalizer"]["lowercase"] = false;
  EXPECT_EQ(Encode(json, accented), (Ids{2, 9, 3}));
  json["normalizer"] = nullptr;
  EXPECT_EQ(Encode(json, accented), (Ids{2, 9, 3}));
  EXPECT_EQ(Encode(json, "A"), (Ids{2, 1, 3}));
  json["normalizer"] = {{"type", "Sequence"}, {"normalizers", Json::array({{{"type", "Lowercase"}}})}};
  EXPECT_EQ(Encode(json, "A"), (Ids{2, 4, 3}));
}

TEST(TokenizerCompiler, OnlyASingleWordAndTruncationOnTheLeftAddToTheTables) {
  const auto optional = [](const Json& json) {
    Result<CompiledTokenizer> compiled = CompileTokenizer(json.dump(), "t.json");
    EXPECT_TRUE(compiled.ok()) << compiled.status().message();
    std::pair<bool, std::uint32_t> found;
    if (compiled.ok()) found = {!compiled->kind->added.word_chars.empty(), compiled->kind->around.truncate_left};
    return found;
  };
  Json json = Valid();
  json["truncation"] = {{"direction", "Right"}, {"max_length", 9}};
  EXPECT_EQ(optional(json), (std::pair<bool, std::uint32_t>(false, 0)));
  json["truncation"]["direction"] = "Left";
  EXPECT_EQ(optional(json), (std::pair<bool, std::uint32_t>(false, 1)));
  json["added_tokens"][1]["single_word"] = true;
  EXPECT_EQ(optional(json), (std::pair<bool, std::uint32_t>(true, 1)));
  EXPECT_EQ(Encode(json, "[MASK] a[MASK] [MASK]-[MASK]_"), (Ids{2, 10, 4, 1, 1, 1, 10, 1, 1, 1, 1, 1, 3}));
}

TEST(TokenizerCompiler, AcceptsAModelWithoutTypeAsEarlyFilesHaveIt) {
  Json json = Valid();
  json["model"].erase("type");
  EXPECT_EQ(Encode(json, "ab"), (Ids{2, 6, 3}));
}

TEST(TokenizerCompiler, WorksWithAnEmptyAndWithAnAbsentContinuation) {
  Json json = Valid();
  json["model"]["continuing_subword_prefix"] = "";
  EXPECT_EQ(Encode(json, "aca"), (Ids{2, 4, 8, 4, 3}));
  json["model"]["continuing_subword_prefix"] = "@@";
  EXPECT_EQ(Encode(json, "a ac"), (Ids{2, 4, 1, 3}));
}

TEST(TokenizerCompiler, KeepsIdsAbove65535) {
  Json json = Valid();
  json["added_tokens"] = Json::array();
  for (int i = 10; i < 70000; ++i) json["model"]["vocab"]["w" + std::to_string(i)] = i;
  EXPECT_EQ(Encode(json, "w10 w65535 w65536 w69999 ab w70000"), (Ids{2, 10, 65535, 65536, 69999, 6, 1, 3}));
}

TEST(TokenizerCompiler, FindsEveryPieceOfALargeVocabularyWithGroupsOfAllSizes) {
  Json json = Valid();
  json["added_tokens"] = Json::array();
  json["normalizer"] = nullptr;
  json["model"]["vocab"] = {{"[UNK]", 0}, {"[CLS]", 1}, {"[SEP]", 2}, {"[PAD]", 3}};
  json["post_processor"] = nullptr;
  std::mt19937 random(5);
  std::vector<std::string> pieces;
  while (json["model"]["vocab"].size() < 3000) {
    // From few letters, so that pieces begin alike, or from many, so that siblings are many.
    const unsigned letters = random() % 2 == 0 ? 2 : 26;
    std::string piece;
    for (std::size_t i = 1 + random() % 8; i > 0; --i) piece += static_cast<char>('a' + random() % letters);
    const std::size_t id = json["model"]["vocab"].size();
    if (json["model"]["vocab"].emplace(piece, id).second) pieces.push_back(piece);
  }
  for (std::uint32_t c = 0x4E00; c < 0x4F80; ++c) {
    std::string piece = {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 63)),
                         static_cast<char>(0x80 | (c & 63))};
    json["model"]["vocab"].emplace(piece, json["model"]["vocab"].size());
    pieces.push_back(piece);
  }
  std::string text;
  Ids expected;
  for (const std::string& piece : pieces) {
    text += piece + " ";
    expected.push_back(json["model"]["vocab"][piece]);
  }
  Result<CompiledTokenizer> compiled = CompileTokenizer(json.dump(), "t.json");
  ASSERT_TRUE(compiled.ok()) << compiled.status().message();
  auto tokenizer = text::Tokenizer::Create(compiled->kind, compiled->vocabulary);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  Ids ids(pieces.size() + 10);
  ids.resize(tokenizer->Encode({}, text, ids).tokens);
  EXPECT_EQ(ids, expected);
}

struct Refusal {
  std::function<void(Json&)> change;
  Code code;
  std::string_view message;
};

void ExpectRefused(const std::string& text, Code code, std::string_view message) {
  Result<CompiledTokenizer> compiled = CompileTokenizer(text, "t.json");
  ASSERT_FALSE(compiled.ok()) << message;
  EXPECT_EQ(compiled.status().message().rfind("t.json: ", 0), 0u) << compiled.status().message();
  EXPECT_NE(compiled.status().message().find(message), std::string::npos)
      << "expected " << message << ", found " << compiled.status().message();
  EXPECT_EQ(CodeName(compiled.status().code()), CodeName(code)) << message;
}

TEST(TokenizerCompiler, RefusesEachMalformedOrUnsupportedPart) {
  const Code corrupt = Code::kCorrupt, unsupported = Code::kUnsupported;
  const std::vector<Refusal> refusals = {
      {[](Json& j) { j = Json::array(); }, corrupt, "is not a JSON object"},
      {[](Json& j) { j.erase("model"); }, corrupt, "model is not an object"},
      {[](Json& j) { j["model"] = 3; }, corrupt, "model is not an object"},
      {[](Json& j) { j["model"]["type"] = "WordLevel"; }, unsupported, "model.type is \"WordLevel\""},
      {[](Json& j) { j["model"]["type"] = 1; }, corrupt, "model.type is not a string"},
      {[](Json& j) { j["model"].erase("continuing_subword_prefix"); }, corrupt, "continuing_subword_prefix is not"},
      {[](Json& j) { j["model"]["max_input_chars_per_word"] = 0; }, corrupt, "max_input_chars_per_word is not"},
      {[](Json& j) { j["model"]["max_input_chars_per_word"] = -1; }, corrupt, "max_input_chars_per_word is not"},
      {[](Json& j) { j["model"]["max_input_chars_per_word"] = 5000; }, unsupported, "is 5000, at most 1024"},
      {[](Json& j) { j["model"]["unk_token"] = "no"; }, corrupt, "unk_token \"no\" is not in the vocabulary"},
      {[](Json& j) { j["model"]["unk_token"] = nullptr; }, corrupt, "model.unk_token is not a string"},
      {[](Json& j) { j["model"]["vocab"] = Json::array(); }, corrupt, "model.vocab is not an object"},
      {[](Json& j) { j["model"]["vocab"] = Json::object(); }, corrupt, "model.vocab is empty"},
      {[](Json& j) { j["model"]["vocab"] = {{"", 0}}; }, corrupt, "only the empty piece"},
      {[](Json& j) { j["model"]["vocab"]["a"] = -4; }, corrupt, "the id of \"a\" in model.vocab is not"},
      {[](Json& j) { j["model"]["vocab"]["a"] = "4"; }, corrupt, "the id of \"a\" in model.vocab is not"},
      {[](Json& j) { j["model"]["vocab"]["a"] = 4.0; }, corrupt, "the id of \"a\" in model.vocab is not"},
      {[](Json& j) { j["model"]["vocab"]["a"] = 1ull << 40; }, corrupt, "the id of \"a\" in model.vocab is not"},
      {[](Json& j) { j["model"]["vocab"]["a"] = 100000; }, corrupt, "id 100000 of \"a\" is far beyond"},
      {[](Json& j) { j["model"]["vocab"]["a"] = 8; }, corrupt, "id 8 belongs to"},
      {[](Json& j) { j["model"]["vocab"][std::string(70000, 'z')] = 11; }, unsupported, "a piece longer than"},
      {[](Json& j) { j["added_tokens"] = "x"; }, corrupt, "added_tokens is not an array"},
      {[](Json& j) { j["added_tokens"][1] = "x"; }, corrupt, "added_tokens[1].content is not a string"},
      {[](Json& j) { j["added_tokens"][1].erase("id"); }, corrupt, "added_tokens[1].id is missing"},
      {[](Json& j) { j["added_tokens"][1]["id"] = 1.5; }, corrupt, "added_tokens[1].id is not"},
      {[](Json& j) { j["added_tokens"][1]["id"] = 12; }, corrupt, "\"[MASK]\" has id 12, the vocabulary gives it 10"},
      {[](Json& j) { j["added_tokens"][0]["id"] = 2; }, corrupt, "\"[UNK]\" has id 2, the vocabulary gives it 1"},
      {[](Json& j) { j["added_tokens"][1]["content"] = ""; }, corrupt, "added_tokens[1].content is empty"},
      {[](Json& j) { j["added_tokens"][1]["single_word"] = 1; }, corrupt, "added_tokens[1].single_word is not true"},
      {[](Json& j) { j["added_tokens"][1]["lstrip"] = 1; }, corrupt, "added_tokens[1].lstrip is not true or false"},
      {[](Json& j) { j["added_tokens"][1]["content"] = "a\xEF\xBF\xBD"; }, unsupported, "contains U+FFFD"},
      {[](Json& j) { j["added_tokens"][1] = Added("[UNK]", 1); }, corrupt, "\"[UNK]\" is listed twice"},
      {[](Json& j) { j["added_tokens"][1] = {{"content", " x"}, {"id", 10}, {"lstrip", true}}; }, unsupported,
       "\" x\" has a space at its edge"},
      {[](Json& j) { j["added_tokens"][1] = {{"content", "\xCC\x81"}, {"id", 10}, {"normalized", true}}; }, unsupported,
       "normalises to nothing"},
      {[](Json& j) { j["added_tokens"][1] = {{"content", "a\xE3\x80\xAE"}, {"id", 10}, {"normalized", true}}; },
       unsupported, "has a combining mark"},
      {[](Json& j) {
         j["added_tokens"][1] = {{"content", "Zz"}, {"id", 10}, {"normalized", true}};
         j["added_tokens"][2] = {{"content", "zZ"}, {"id", 11}, {"normalized", true}};
       },
       unsupported, "two added tokens normalise to \"zz\""},
      {[](Json& j) { j["normalizer"] = "x"; }, corrupt, "normalizer.type is not a string"},
      {[](Json& j) { j["normalizer"] = {{"type", "Nmt"}}; }, unsupported, "normalizer.type is \"Nmt\""},
      {[](Json& j) { j["normalizer"] = {{"type", "NFKC"}}; }, unsupported, "normalizer leaves the text composed"},
      {[](Json& j) {
         j["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFC"}}, {{"type", "StripAccents"}}}}};
       },
       unsupported, "StripAccents behind NFC"},
      {[](Json& j) { j["normalizer"] = {{"type", "Replace"}}; }, corrupt, "Replace is malformed"},
      {[](Json& j) { j["normalizer"] = {{"type", "Replace"}, {"pattern", {{"Regex", "a+"}}}, {"content", ""}}; },
       unsupported, "replaces a regular expression"},
      {[](Json& j) { j["normalizer"] = {{"type", "Replace"}, {"pattern", {{"String", "ab"}}}, {"content", ""}}; },
       unsupported, "replaces \"ab\", only one character"},
      {[](Json& j) {
         const Json replace = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", ""}};
         j["normalizer"] = {{"type", "Sequence"}, {"normalizers", {replace, {{"type", "Strip"}}}}};
       },
       unsupported, "both Strip and Replace"},
      {[](Json& j) {
         const Json replace = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", ""}};
         j["normalizer"] = {{"type", "Sequence"}, {"normalizers", {{{"type", "NFD"}}, replace, {{"type", "NFD"}}}}};
       },
       unsupported, "Replace between two decompositions"},
      {[](Json& j) { j["normalizer"] = {{"type", "Sequence"}}; }, corrupt, "normalizer.normalizers is not an array"},
      {[](Json& j) { j["normalizer"] = {{"type", "Sequence"}, {"normalizers", {1, 2}}}; }, corrupt,
       "normalizer.type is not a string"},
      {[](Json& j) { j["normalizer"]["lowercase"] = "yes"; }, corrupt, "normalizer.lowercase is not true or false"},
      {[](Json& j) { j["normalizer"]["strip_accents"] = 0; }, corrupt, "normalizer.strip_accents is not"},
      {[](Json& j) { j["pre_tokenizer"] = nullptr; }, unsupported, "pre_tokenizer does not split at spaces"},
      {[](Json& j) { j["pre_tokenizer"]["type"] = "Punctuation"; }, unsupported, "does not split at spaces"},
      {[](Json& j) { j["pre_tokenizer"] = {{"type", "Punctuation"}, {"behavior", "Removed"}}; }, unsupported,
       "behavior of Punctuation is not"},
      {[](Json& j) { j["pre_tokenizer"] = {{"type", "Sequence"}}; }, corrupt, "pretokenizers is not an array"},
      {[](Json& j) { j["pre_tokenizer"]["type"] = "Metaspace"; }, unsupported, "pre_tokenizer.type is \"Metaspace\""},
      {[](Json& j) { j["post_processor"]["type"] = "Pair"; }, unsupported, "post_processor.type is \"Pair\""},
      {[](Json& j) { j["post_processor"]["cls"] = 2; }, corrupt, "post_processor.cls is not a pair"},
      {[](Json& j) { j["post_processor"]["sep"][1] = "3"; }, corrupt, "post_processor.sep[1] is not"},
      {[](Json& j) { j["post_processor"]["sep"][1] = 900; }, corrupt, "id 900 is not in the vocabulary"},
      {[](Json& j) { j["post_processor"] = {{"type", "TemplateProcessing"}}; }, corrupt, "single is not an array"},
      {[](Json& j) { j["post_processor"] = {{"type", "TemplateProcessing"}, {"single", Json::array()}}; }, unsupported,
       "leaves out the text"},
      {[](Json& j) { j["post_processor"] = {{"type", "TemplateProcessing"}, {"single", Json::array({3})}}; }, corrupt,
       "single[0] is not a Sequence or a SpecialToken"},
      {[](Json& j) {
         j["post_processor"] = {{"type", "TemplateProcessing"},
                                {"single", Json::array({{{"Sequence", {{"id", "B"}}}}})}};
       },
       unsupported, "single[0] is sequence \"B\""},
      {[](Json& j) {
         j["post_processor"] = {{"type", "TemplateProcessing"},
                                {"single", Json::array({{{"SpecialToken", {{"id", "[X]"}}}}})}};
       },
       corrupt, "has no ids for \"[X]\""},
      {[](Json& j) {
         j["post_processor"] = {{"type", "TemplateProcessing"},
                                {"single", Json::array({{{"SpecialToken", {{"id", "[X]"}}}}})},
                                {"special_tokens", {{"[X]", {{"ids", std::vector<int>(17, 2)}}}}}};
       },
       unsupported, "more than 16 tokens"},
      {[](Json& j) { j["truncation"] = {{"direction", "Up"}}; }, corrupt, "truncation.direction is not"},
      {[](Json& j) { j["truncation"] = {{"max_length", 0}}; }, corrupt, "truncation.max_length is not"},
      {[](Json& j) { j["truncation"] = {{"max_length", "128"}}; }, corrupt, "truncation.max_length is not"},
  };
  for (const Refusal& refusal : refusals) {
    Json json = Valid();
    refusal.change(json);
    ExpectRefused(json.dump(), refusal.code, refusal.message);
  }
  ExpectRefused("", corrupt, "not JSON");
  ExpectRefused("{\"model\":", corrupt, "not JSON");
  ExpectRefused(std::string(100000, '['), corrupt, "nested deeper than 64 levels");
  const std::string deep = std::string(65, '[') + std::string(65, ']');
  ExpectRefused("{\"unknown\":" + deep + "}", corrupt, "nested deeper than 64 levels");
  ExpectRefused("{\"model\":{\"type\":\"\xFF\"}}", corrupt, "not JSON");
}

// Every value of `json` replaced by one of another type, one at a time.
void ForEachWrongType(const Json& json, const std::function<void(const Json&)>& use) {
  const std::vector<Json> wrong = {nullptr,
                                   true,
                                   -1,
                                   1.5,
                                   "text",
                                   Json::array(),
                                   Json::object(),
                                   18446744073709551615ull,
                                   Json::array({Json::object(), Json::array({1}), "x"})};
  std::vector<Json::json_pointer> places = {Json::json_pointer()};
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Json& value = json[places[i]];
    if (value.is_object()) {
      for (const auto& [key, member] : value.items()) places.push_back(places[i] / key);
    } else if (value.is_array()) {
      for (std::size_t k = 0; k < value.size(); ++k) places.push_back(places[i] / k);
    }
  }
  for (const auto& place : places) {
    for (const Json& value : wrong) {
      Json changed = json;
      changed[place] = value;
      use(changed);
    }
  }
}

TEST(TokenizerCompiler, AnyValueOfAnotherTypeIsRefusedOrHarmless) {
  int refused = 0;
  ForEachWrongType(Valid(), [&](const Json& json) {
    Result<CompiledTokenizer> compiled = CompileTokenizer(json.dump(), "t.json");
    if (!compiled.ok()) {
      EXPECT_EQ(compiled.status().message().rfind("t.json: ", 0), 0u) << compiled.status().message();
      ++refused;
      return;
    }
    EXPECT_TRUE(text::Tokenizer::Create(compiled->kind, compiled->vocabulary).ok()) << json.dump();
  });
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace thimble::convert
