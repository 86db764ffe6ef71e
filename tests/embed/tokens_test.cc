// Tokens of a text as the public headers give them: ids with and without limits, offsets, pairs, and the way back.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/test_model.h"
#include "thimble/embedder.h"
#include "thimble/pool.h"
#include "thimble/vocabulary.h"

namespace thimble {
namespace {

using Ids = std::vector<std::int32_t>;
using Names = std::vector<std::string>;

std::shared_ptr<const Model> TestModel() {
  static test::TemporaryFolder folder;
  static const Result<std::string> path = test::ConvertTestModel(folder.path(), format::Dtype::kQ8);
  EXPECT_TRUE(path.ok()) << path.status().message();
  return *Model::Open(*path);
}

Names NamesOf(const Model& model, const Ids& ids) {
  Names names;
  const std::vector<TokenText> texts = *TokenTexts(model, ids);
  for (const TokenText& token : texts) names.push_back(token.text);
  return names;
}

TEST(Tokens, OfATextWithoutALimit) {
  auto model = TestModel();
  const std::string text(300, '!');
  EXPECT_EQ(model->Tokenize(text)->ids.size(), model->info().max_tokens);
  const Tokens all = *model->Tokenize(text, {.max_tokens = 5, .truncate = false});
  EXPECT_EQ(all.ids.size(), 302u);
  EXPECT_FALSE(all.truncated);
  EXPECT_TRUE(all.offsets.empty() && all.type_ids.empty());
  const Tokens own = *model->Tokenize(text, {.max_tokens = 5, .special_tokens = false});
  EXPECT_EQ(own.ids, Ids(5, all.ids[1]));
  EXPECT_TRUE(own.truncated);
}

TEST(Tokens, HaveOffsetsWhereAsked) {
  auto model = TestModel();
  const std::string_view text = "The vector\xc3\xa9!";
  const Tokens tokens = *model->Tokenize(text, {.offsets = true});
  EXPECT_EQ(NamesOf(*model, tokens.ids), (Names{"[CLS]", "the", "vector", "##e", "!", "[SEP]"}));
  EXPECT_EQ(tokens.offsets, (std::vector<ByteRange>{{0, 0}, {0, 3}, {4, 10}, {10, 12}, {12, 13}, {0, 0}}));
}

TEST(Tokens, OfAPair) {
  auto model = TestModel();
  const TokenizeOptions options = {.truncate = false, .offsets = true, .pair = "vector"};
  const Tokens tokens = *model->Tokenize("the", options);
  EXPECT_EQ(NamesOf(*model, tokens.ids), (Names{"[CLS]", "the", "[SEP]", "vector", "[SEP]"}));
  EXPECT_EQ(tokens.type_ids, (std::vector<std::uint8_t>{0, 0, 0, 1, 1}));
  EXPECT_EQ(tokens.offsets, (std::vector<ByteRange>{{0, 0}, {0, 3}, {0, 0}, {0, 6}, {0, 0}}));
  EXPECT_EQ(model->Tokenize("the", {.pair = "vector"}).status().code(), Code::kInvalidArgument);
}

TEST(Tokens, HaveRoles) {
  auto model = TestModel();
  const SpecialIds special = *FindSpecialIds(*model);
  const Ids ids = {*special.pad, *special.unk, *special.cls, *special.sep, *special.mask};
  EXPECT_EQ(ids, (Ids{0, 1, 2, 3, 4}));
  EXPECT_EQ(NamesOf(*model, ids), (Names{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}));
  Ids all = model->Tokenize("the vector !")->ids;
  all.insert(all.end(), {0, 1, 4});
  const std::vector<TokenText> texts = *TokenTexts(*model, all);
  EXPECT_EQ(DecodeTokens(texts, true), "the vector!");
  EXPECT_EQ(DecodeTokens(texts, false), "[CLS] the vector! [SEP] [PAD] [UNK] [MASK]");
  for (std::size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(texts[i].special, texts[i].text == "[CLS]" || texts[i].text == "[SEP]");
    EXPECT_EQ(texts[i].control, texts[i].text.size() > 1 && texts[i].text[0] == '[');
  }
  auto mock = *Model::Open("mock");
  EXPECT_EQ(FindSpecialIds(*mock).status().code(), Code::kUnsupported);
}

TEST(Tokens, AreEmbeddedAsGiven) {
  auto model = TestModel();
  const std::size_t width = model->info().token_dimensions;
  auto embedder = Embedder::Create(model);
  auto pool = ModelPool::Create();
  ASSERT_TRUE(embedder.ok() && pool.ok());
  // Neither special tokens nor an order are needed.
  const Ids ids = {7, 0, 2};
  std::vector<float> rows(ids.size() * width), row(width);
  ASSERT_TRUE(embedder->EmbedIds(ids, rows).ok());
  ASSERT_TRUE(embedder->EmbedIds(std::span(ids).first(1), row).ok());
  EXPECT_NE(row, std::vector<float>(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(width)));
  const auto error = [&](const Ids& wrong, std::size_t floats) {
    std::vector<float> out(floats);
    return embedder->EmbedIds(wrong, out);
  };
  const auto vocabulary = static_cast<std::int32_t>(model->info().vocabulary);
  const std::map<std::string, Status> errors = {
      {"expected 3 x 64 floats, found 64", error(ids, width)},
      {"expected 1 to 64, found 0", error({}, 0)},
      {"expected 1 to 64, found 65", error(Ids(65, 2), 65 * width)},
      {"token id -1: ", error({-1}, width)},
      {"token id " + std::to_string(vocabulary) + ": ", error({2, vocabulary}, 2 * width)},
  };
  for (const auto& [message, status] : errors) {
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_NE(status.message().find(message), std::string::npos) << status.message();
  }
  auto mock = pool->Acquire("mock");
  ASSERT_TRUE(mock.ok());
  std::vector<float> out(384);
  EXPECT_EQ(mock->EmbedIds(Ids{1}, out).code(), Code::kUnsupported);
}

}  // namespace
}  // namespace thimble
