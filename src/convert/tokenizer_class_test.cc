// Compares the tokenizers of folders of every class and layout with what transformers makes of them
// (scripts/goldens/classes.py), and damages their files.

#include "convert/tokenizer_class.h"

#include <gtest/gtest.h>

#include <iterator>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "base/base64.h"
#include "convert/sentencepiece_file.h"
#include "convert/tokenizer_folder.h"
#include "tests/support/files.h"
#include "text/token_list.h"
#include "thimble/vocabulary.h"

namespace thimble::convert {
namespace {

using Ids = std::vector<std::int32_t>;

class Goldens {
 public:
  Goldens()
      : json_(nlohmann::json::parse(test::ReadFile(THIMBLE_FIXTURES "/tokenizer/classes.json"), nullptr, false)) {}

  const nlohmann::json& operator[](const char* key) const { return json_[key]; }

  std::string Contents(const nlohmann::json& file) const {
    const nlohmann::json& kept = json_["files"][file["of"].get<std::string>()];
    if (kept.is_object()) return *base::FromBase64(kept["base64"].get<std::string>());
    if (!file.contains("patch")) return kept;
    nlohmann::json patched = nlohmann::json::parse(kept.get<std::string>());
    patched.merge_patch(file["patch"]);
    return patched.dump();
  }

 private:
  nlohmann::json json_;
};

// A folder with the files of an entry of the goldens.
class ClassFolder {
 public:
  ClassFolder(const Goldens& goldens, const nlohmann::json& entry) {
    for (const auto& [name, file] : entry["files"].items()) Write(name, goldens.Contents(file));
    Write("config.json", entry["model"].dump());
    if (!entry["config"].is_null()) Write("tokenizer_config.json", entry["config"].dump());
  }

  void Write(const std::string& name, const std::string& contents) const {
    EXPECT_TRUE(test::WriteFile(folder_.File(name), contents).ok());
  }
  Result<TokenizerSource> Read() const {
    TokenizerSettings settings;
    settings.embeddings = 1000;
    return ReadTokenizer(path(), settings);
  }
  const std::string& path() const { return folder_.path(); }

 private:
  test::TemporaryFolder folder_;
};

std::vector<std::size_t> Places(const Tokens& tokens) {
  std::vector<std::size_t> places;
  for (const ByteRange& range : tokens.offsets) places.insert(places.end(), {range.begin, range.end});
  return places;
}

TEST(TokenizerClass, IdsAndPlacesEqualThoseOfTransformers) {
  const Goldens goldens;
  ASSERT_GT(goldens["folders"].size(), 30u);
  for (const auto& entry : goldens["folders"]) {
    SCOPED_TRACE(entry["name"]);
    const ClassFolder folder(goldens, entry);
    Result<TokenizerSource> source = folder.Read();
    ASSERT_TRUE(source.ok()) << source.status().message();
    auto tokenizer = text::Tokenizer::Create(source->tokenizer.kind, source->tokenizer.vocabulary);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    const std::vector<std::string> texts = goldens["texts"];
    for (std::size_t i = 0; i < texts.size(); ++i) {
      SCOPED_TRACE(texts[i]);
      const Ids expected = entry["ids"][i];
      const Tokens list = text::ListTokens(*tokenizer, {}, texts[i], {.max_tokens = 5000, .offsets = true});
      EXPECT_EQ(list.ids, expected);
      if (!entry.contains("offsets")) continue;
      EXPECT_EQ(Places(list), entry["offsets"][i].get<std::vector<std::size_t>>());
      std::vector<TokenText> entries;
      for (std::string& token : text::EntriesOf(*tokenizer, list.ids)) {
        entries.push_back({.text = std::move(token), .joining = source->tokenizer.kind->joining()});
      }
      EXPECT_EQ(DecodeTokens(entries, false), entry["decoded"][i].get<std::string>());
    }
  }
}

TEST(TokenizerClass, EachTextIsTruncatedAtEveryLength) {
  const Goldens goldens;
  for (const auto& entry : goldens["folders"]) {
    SCOPED_TRACE(entry["name"]);
    Result<TokenizerSource> source = ClassFolder(goldens, entry).Read();
    ASSERT_TRUE(source.ok()) << source.status().message();
    auto tokenizer = text::Tokenizer::Create(source->tokenizer.kind, source->tokenizer.vocabulary);
    ASSERT_TRUE(tokenizer.ok());
    const std::vector<std::string> texts = goldens["texts"];
    for (std::size_t i = 0; i < texts.size(); i += 3) {
      const Ids whole = entry["ids"][i];
      for (std::size_t limit = tokenizer->num_special() + 1; limit < whole.size() + 2; limit += 1 + limit / 8) {
        Ids ids(limit);
        const text::Encoded encoded = tokenizer->Encode({}, texts[i], ids);
        EXPECT_EQ(encoded.truncated, whole.size() > limit) << texts[i];
        ASSERT_EQ(encoded.tokens, std::min(limit, whole.size()));
        const auto own = static_cast<std::ptrdiff_t>(encoded.tokens - tokenizer->suffix().size());
        EXPECT_TRUE(std::equal(ids.begin(), ids.begin() + own, whole.begin())) << texts[i];
      }
    }
  }
}

TEST(TokenizerClass, MutatedFilesAreRefusedOrHarmless) {
  const Goldens goldens;
  std::mt19937 random(17);
  int refused = 0, accepted = 0;
  for (int round = 0; round < 150; ++round) {
    const auto& entry = goldens["folders"][random() % goldens["folders"].size()];
    const ClassFolder folder(goldens, entry);
    auto file = entry["files"].begin();
    std::advance(file, random() % entry["files"].size());
    std::string contents = goldens.Contents(file.value());
    for (std::size_t changes = 1 + random() % 3; changes > 0 && !contents.empty(); --changes) {
      const std::size_t at = random() % contents.size();
      switch (random() % 4) {
        case 0:
          contents[at] = static_cast<char>(random());
          break;
        case 1:
          contents.erase(at, 1 + random() % 8);
          break;
        case 2:
          contents.resize(at);
          break;
        default:
          contents.insert(at, contents.substr(random() % contents.size(), random() % 8));
      }
    }
    folder.Write(file.key(), contents);
    Result<TokenizerSource> source = folder.Read();
    if (!source.ok()) {
      EXPECT_NE(source.status().message().find(folder.path()), std::string::npos) << source.status().message();
      ++refused;
      continue;
    }
    ++accepted;
    auto tokenizer = text::Tokenizer::Create(source->tokenizer.kind, source->tokenizer.vocabulary);
    ASSERT_TRUE(tokenizer.ok()) << tokenizer.status().message();
    for (const std::string text : goldens["texts"]) {
      Ids ids(100);
      ids.resize(tokenizer->Encode({}, text, ids).tokens);
      for (std::int32_t id : ids) ASSERT_LT(static_cast<std::size_t>(id), source->tokenizer.vocabulary);
    }
  }
  EXPECT_GT(refused, 15);
  EXPECT_GT(accepted, 15);
}

TEST(SentencePieceFile, EveryBeginningOfAFileIsRefusedOrHasFewerPieces) {
  const Goldens goldens;
  const std::string bytes = goldens.Contents({{"of", "defined.model"}});
  const Result<SentencePieceFile> whole = ReadSentencePiece(bytes, "m.model");
  ASSERT_TRUE(whole.ok()) << whole.status().message();
  EXPECT_TRUE(whole->unigram);
  EXPECT_FALSE(whole->charsmap.empty());
  EXPECT_EQ(whole->pieces[0].type, SentencePiece::Type::kUnknown);
  EXPECT_EQ(whole->pieces[1].text, "<s>");
  std::size_t refused = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Result<SentencePieceFile> part = ReadSentencePiece(std::string_view(bytes).substr(0, size), "m.model");
    if (part.ok()) {
      EXPECT_LE(part->pieces.size(), whole->pieces.size());
      continue;
    }
    ++refused;
    EXPECT_EQ(part.status().code(), Code::kCorrupt);
    EXPECT_EQ(part.status().message().rfind("m.model: ", 0), 0u);
  }
  EXPECT_GT(refused, bytes.size() / 2);
}

TEST(SentencePieceFile, RefusesPiecesThatCannotBeUsed) {
  const auto message = [](std::string_view bytes) { return ReadSentencePiece(bytes, "m").status().message(); };
  EXPECT_EQ(message("{}"), "m: is not a SentencePiece model, or is damaged");
  EXPECT_EQ(message(""), "m: is a SentencePiece model without pieces");
  EXPECT_EQ(message("\x0A\x03\x0A\x01\xFF"), "m: piece 0 is not UTF-8");
  EXPECT_EQ(message(std::string_view("\x0A\x05\x15\x00\x00\x80\x7F", 7)), "m: piece 0 has a score that is not finite");
  EXPECT_EQ(message("\x0A\x02\x18\x07"), "m: piece 0 has an unknown type");
}

}  // namespace
}  // namespace thimble::convert
