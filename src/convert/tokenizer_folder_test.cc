// Compares tokenizers of folders with the ids that sentence-transformers gave
// (scripts/goldens/folders.py), and tests what is refused.

#include "convert/tokenizer_folder.h"

#include <gtest/gtest.h>

#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "json/parse.h"
#include "tests/support/files.h"
#include "text/tokenizer.h"

namespace thimble::convert {
namespace {

using Json = nlohmann::json;
using Ids = std::vector<std::int32_t>;
using Files = std::map<std::string, std::string>;

constexpr const char* kVocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\nHello\n";

// A folder that is empty but for `files`.
class Folder {
 public:
  explicit Folder(const Files& files) {
    for (const auto& [name, text] : files) EXPECT_TRUE(test::WriteFile(folder_.File(name), text).ok());
  }
  const std::string& path() const { return folder_.path(); }

 private:
  test::TemporaryFolder folder_;
};

Ids Encode(const CompiledTokenizer& compiled, const std::string& text, std::size_t limit = 1000) {
  auto tokenizer = text::Tokenizer::Create(compiled.kind, compiled.vocabulary);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status().message();
  if (!tokenizer.ok()) return {};
  Ids ids(limit);
  ids.resize(tokenizer->Encode({}, text, ids).tokens);
  return ids;
}

Json ReadGoldens() { return Json::parse(test::ReadFile(THIMBLE_FIXTURES "/tokenizer/folders.json"), nullptr, false); }

Files FilesOf(const Json& goldens, const Json& folder) {
  Files files;
  if (folder.contains("files")) files = folder["files"].get<Files>();
  if (folder.contains("patch")) {
    Json tokenizer = goldens["tokenizer"];
    tokenizer.merge_patch(folder["patch"]);
    files["tokenizer.json"] = tokenizer.dump();
  }
  if (!folder["config"].is_null()) files["tokenizer_config.json"] = folder["config"].dump();
  if (folder.contains("model")) files["config.json"] = folder["model"].dump();
  return files;
}

json::Value ValueOf(const Json& json) { return *json::Parse(json.dump(), "test"); }

TokenizerSettings SettingsOf(const Json& folder) {
  TokenizerSettings settings;
  settings.embeddings = folder.value("embeddings", 49);
  if (!folder.contains("settings")) return settings;
  settings.do_lower_case = folder["settings"].value("do_lower_case", false);
  settings.arguments = ValueOf(folder["settings"].value("arguments", Json::object()));
  return settings;
}

TEST(TokenizerFolder, IdsEqualThoseOfSentenceTransformers) {
  const Json goldens = ReadGoldens();
  ASSERT_GT(goldens["folders"].size(), 60u);
  for (const Json& expected : goldens["folders"]) {
    SCOPED_TRACE(expected["name"]);
    const Folder folder(FilesOf(goldens, expected));
    Result<TokenizerSource> source = ReadTokenizer(folder.path(), SettingsOf(expected));
    ASSERT_TRUE(source.ok()) << source.status().message();
    const std::vector<std::string> texts = goldens["texts"];
    for (std::size_t i = 0; i < texts.size(); ++i) {
      EXPECT_EQ(Encode(source->tokenizer, texts[i]), expected["ids"][i].get<Ids>()) << texts[i];
    }
    const std::vector<std::size_t> limits = {3, 5, 8};
    for (std::size_t i = 0; i < limits.size(); ++i) {
      EXPECT_EQ(Encode(source->tokenizer, goldens["long"], limits[i]), expected["cuts"][i].get<Ids>()) << limits[i];
    }
    EXPECT_EQ(Json(source->model_max_length.value_or(0)), expected["limit"].is_null() ? Json(0) : expected["limit"]);
    EXPECT_EQ(source->path, folder.path() + (expected.contains("patch") ? "/tokenizer.json" : "/vocab.txt"));
  }
}

struct Refusal {
  Files files;
  Json arguments;
  Code code;
  std::string_view message;
};

TEST(TokenizerFolder, RefusesByNameWhatItDoesNotFollow) {
  const Code corrupt = Code::kCorrupt, unsupported = Code::kUnsupported;
  const Json none = Json::object();
  auto with = [](const char* config) { return Files{{"vocab.txt", kVocabulary}, {"tokenizer_config.json", config}}; };
  auto beside = [](const char* name, const char* text) { return Files{{"vocab.txt", kVocabulary}, {name, text}}; };
  const std::vector<Refusal> refusals = {
      {{}, none, Code::kNotFound, "neither tokenizer.json nor vocab.txt"},
      {with("[]"), none, corrupt, "expected a JSON object"},
      {with("{\"do_lower_case\":null}"), none, corrupt, "\"do_lower_case\": expected true or false"},
      {with("{\"do_lower_case\":1}"), none, corrupt, "\"do_lower_case\": expected true or false"},
      {with("{\"strip_accents\":\"x\"}"), none, corrupt, "\"strip_accents\": expected true or false"},
      {with("{\"tokenize_chinese_chars\":null}"), none, corrupt, "\"tokenize_chinese_chars\": expected"},
      {with("{\"truncation_side\":\"middle\"}"), none, corrupt, "\"truncation_side\": expected \"left\" or \"right\""},
      {with("{\"split_special_tokens\":true}"), none, unsupported, "\"split_special_tokens\": true is not supported"},
      {with("{\"model_max_length\":12.5}"), none, corrupt, "\"model_max_length\": expected an integer above 0"},
      {with("{\"model_max_length\":-1}"), none, corrupt, "\"model_max_length\": expected an integer above 0"},
      {with("{\"model_max_length\":\"9\"}"), none, corrupt, "\"model_max_length\": expected an integer above 0"},
      {with("{\"max_len\":0}"), none, corrupt, "\"max_len\": expected an integer above 0"},
      {with("{\"tokenizer_class\":\"RobertaTokenizer\"}"), none, unsupported, "has a vocab.txt and no"},
      {with("{\"tokenizer_class\":\"DebertaTokenizer\"}"), none, unsupported, "found \"DebertaTokenizer\""},
      {with("{\"tokenizer_class\":7}"), none, corrupt, "\"tokenizer_class\": expected a string"},
      {with("{\"tokenizer_class\":\"PreTrainedTokenizerFast\"}"), none, unsupported, "has a vocab.txt and no"},
      {with("{\"fast_tokenizer_files\":[\"tokenizer.4.json\"]}"), none, unsupported, "\"fast_tokenizer_files\": only"},
      {with("{\"cls_token\":null}"), none, unsupported, "\"cls_token\": null is not supported"},
      {with("{\"cls_token\":{\"content\":\"x\"}}"), none, corrupt, "\"cls_token\": expected a token"},
      {with("{\"cls_token\":\"a b\"}"), none, unsupported, "\"cls_token\": \"a b\" has a space"},
      {with("{\"unk_token\":\"<u>\"}"), none, corrupt, "unk_token \"<u>\" is not in the vocabulary"},
      {with("{\"mask_token\":{\"__type\":\"AddedToken\",\"content\":3}}"), none, corrupt, "a content that is a string"},
      {with("{\"image_token\":\"<i>\"}"), none, unsupported, "\"image_token\": \"<i>\" is not in the vocabulary"},
      {with("{\"extra_special_tokens\":3}"), none, corrupt, "\"extra_special_tokens\": expected an array or"},
      {with("{\"added_tokens_decoder\":[]}"), none, corrupt, "\"added_tokens_decoder\": expected an object"},
      {with("{\"added_tokens_decoder\":{\"x\":{}}}"), none, corrupt, "expected an id, found \"x\""},
      {with("{\"added_tokens_decoder\":{\"5\":{\"content\":\"a\",\"lstrip\":1}}}"), none, corrupt, "for \"lstrip\""},
      {beside("added_tokens.json", "{\"a\":-1}"), none, corrupt, "expected tokens with ids, found \"a\""},
      {beside("added_tokens.json", "[]"), none, corrupt, "added_tokens.json: expected a JSON object"},
      {beside("special_tokens_map.json", "[]"), none, corrupt, "special_tokens_map.json: expected a JSON object"},
      {beside("config.json", "{\"tokenizer_class\":\"XLNetTokenizer\"}"), none, unsupported,
       "found \"XLNetTokenizer\""},
      {{{"vocab.txt", "a\nb\xFF\n"}}, none, corrupt, "vocab.txt: line 2 is not UTF-8"},
      {{{"vocab.txt", ""}}, none, corrupt, "model.vocab is empty"},
      {{{"vocab.txt", "hello\n"}}, none, corrupt, "unk_token \"[UNK]\" is not in the vocabulary"},
      {{{"tokenizer.json", "[]"}}, none, corrupt, "is not a JSON object"},
      {{{"tokenizer.json", "{\"added_tokens\":[{\"id\":1}]}"}}, none, corrupt, "not a token with an id"},
      {{{"tokenizer.json", "{\"added_tokens\":3}"}}, none, corrupt, "added_tokens is not an array"},
      {{{"tokenizer.json", "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1}}}"}}, none, unsupported, "is \"BPE\""},
      {with("{}"), Json::array(), corrupt, "\"processor_kwargs\": expected an object"},
      {with("{}"), {{"tokenizer_type", "bert"}}, unsupported, "processor_kwargs has \"tokenizer_type\""},
      {with("{}"), {{"truncation_side", 3}}, corrupt, "\"truncation_side\": expected"},
  };
  for (const Refusal& refusal : refusals) {
    const Folder folder(refusal.files);
    TokenizerSettings settings;
    settings.arguments = ValueOf(refusal.arguments);
    settings.embeddings = 100;
    Result<TokenizerSource> source = ReadTokenizer(folder.path(), settings);
    ASSERT_FALSE(source.ok()) << refusal.message;
    EXPECT_EQ(CodeName(source.status().code()), CodeName(refusal.code)) << source.status().message();
    EXPECT_NE(source.status().message().find(refusal.message), std::string::npos)
        << "expected " << refusal.message << ", found " << source.status().message();
    EXPECT_NE(source.status().message().find(folder.path()), std::string::npos) << source.status().message();
  }
}

TEST(TokenizerFolder, LeavesOutADefaultTokenThatHasNoEmbedding) {
  const Folder folder(Files{{"vocab.txt", "[UNK]\n[CLS]\n[SEP]\n[\n]\nmask\n"}});
  TokenizerSettings settings;
  settings.embeddings = 6;
  Result<TokenizerSource> source = ReadTokenizer(folder.path(), settings);
  ASSERT_TRUE(source.ok()) << source.status().message();
  EXPECT_EQ(source->tokenizer.vocabulary, 6u);
  EXPECT_EQ(Encode(source->tokenizer, "[MASK]"), (Ids{1, 3, 5, 4, 2}));
  settings.embeddings = 8;
  source = ReadTokenizer(folder.path(), settings);
  ASSERT_TRUE(source.ok()) << source.status().message();
  EXPECT_EQ(Encode(source->tokenizer, "[PAD][MASK]"), (Ids{1, 6, 7, 2}));
}

TEST(TokenizerFolder, MutatedFilesAreRefusedOrHarmless) {
  const Json goldens = ReadGoldens();
  std::mt19937 random(11);
  int refused = 0, accepted = 0;
  for (int round = 0; round < 300; ++round) {
    const Json& chosen = goldens["folders"][random() % goldens["folders"].size()];
    Files files = FilesOf(goldens, chosen);
    auto file = files.begin();
    std::advance(file, random() % files.size());
    std::string& text = file->second;
    for (std::size_t changes = 1 + random() % 3; changes > 0 && !text.empty(); --changes) {
      const std::size_t at = random() % text.size();
      switch (random() % 3) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + random() % 8);
          break;
        default:
          text.insert(at, text.substr(random() % text.size(), random() % 8));
      }
    }
    const Folder folder(files);
    Result<TokenizerSource> source = ReadTokenizer(folder.path(), SettingsOf(chosen));
    if (!source.ok()) {
      EXPECT_NE(source.status().message().find(folder.path()), std::string::npos) << source.status().message();
      ++refused;
      continue;
    }
    ++accepted;
    for (const Json& id : Json(Encode(source->tokenizer, goldens["long"]))) {
      EXPECT_LT(id.get<std::size_t>(), source->tokenizer.vocabulary);
    }
  }
  EXPECT_GT(refused, 50);
  EXPECT_GT(accepted, 50);
}

}  // namespace
}  // namespace thimble::convert
