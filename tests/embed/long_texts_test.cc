// Prompts, truncation profiles, and what becomes of long texts: against the same done by hand with short texts.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "runtime/engine.h"
#include "tests/support/test_model.h"
#include "thimble/convert.h"
#include "thimble/embedder.h"
#include "thimble/pool.h"

namespace thimble {
namespace {

using Vector = std::vector<float>;

constexpr std::size_t kMaxTokens = 24;

// A model with prompts; "glue" ends inside a word. Made once for all tests.
std::shared_ptr<const Model> TestModel() {
  static test::TemporaryFolder folder;
  static std::shared_ptr<const Model> model;
  if (model == nullptr) {
    const std::string source = folder.File("asym");
    std::filesystem::create_directory(source);
    EXPECT_TRUE(test::WriteTestModel(source, {.max_seq_length = kMaxTokens}).ok());
    ConvertOptions options;
    EXPECT_TRUE(test::WriteFile(source + "/config_sentence_transformers.json",
                                R"({"prompts": {"query": "query: ", "glue": "the vec", "long": ")" +
                                    std::string(100, '!') + R"("}})")
                    .ok());
    const std::string path = folder.File("asym-q8.safetensors");
    Status status = ConvertModel(source, path, options);
    EXPECT_TRUE(status.ok()) << status.message();
    auto opened = Model::Open(path);
    EXPECT_TRUE(opened.ok()) << opened.status().message();
    model = *opened;
  }
  return model;
}

std::shared_ptr<const Model> Mock() { return *Model::Open("mock-hashed"); }

Embedder MakeEmbedder(const std::shared_ptr<const Model>& model, const EmbedderOptions& options = {}) {
  auto embedder = Embedder::Create(model, options);
  EXPECT_TRUE(embedder.ok()) << embedder.status().message();
  return *std::move(embedder);
}

Vector Embed(Embedder& embedder, std::string_view text, const VectorOptions& options = {}, Report* report = nullptr) {
  Vector vector(embedder.dimensions());
  auto found = embedder.Embed(text, vector, options);
  EXPECT_TRUE(found.ok()) << found.status().message();
  if (report != nullptr && found.ok()) *report = *found;
  return vector;
}

std::string Words(std::size_t count, std::uint32_t seed = 1) {
  const char* words[] = {"the", "memory", "of", "small", "vector", "xyzzy", "playing", "42", "good", "cats", "-"};
  std::mt19937 random(seed);
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += std::string(i == 0 ? "" : " ") + words[random() % 11];
  return text;
}

const VectorOptions kChunk = {.long_texts = LongTexts::kChunk};

TEST(Prompts, AreReadFromTheFile) {
  const std::vector<Prompt> expected = {{"glue", "the vec"}, {"long", std::string(100, '!')}, {"query", "query: "}};
  EXPECT_EQ(TestModel()->info().prompts, expected);
}

TEST(Prompts, GiveTheBitsOfTheTextsPutTogether) {
  for (const auto& model : {TestModel(), Mock()}) {
    Embedder embedder = MakeEmbedder(model, {.max_tokens = kMaxTokens});
    for (const Prompt& prompt : model->info().prompts) {
      for (const std::string& text : {std::string(), std::string("tor of"), Words(5), Words(100)}) {
        for (LongTexts long_texts : {LongTexts::kTruncate, LongTexts::kChunk}) {
          if (long_texts == LongTexts::kChunk && (prompt.name == "long" || text.size() > 100)) continue;
          Report with, plain;
          const Vector found = Embed(embedder, text, {.prompt_name = prompt.name, .long_texts = long_texts}, &with);
          EXPECT_EQ(found, Embed(embedder, prompt.text + text, {}, &plain)) << prompt.name << " " << text;
          EXPECT_EQ(with.tokens, plain.tokens);
          EXPECT_EQ(with.truncated, plain.truncated);
        }
      }
    }
  }
  const auto model = TestModel();
  auto with = model->Tokenize("tor of", {.prompt_name = "glue"}), plain = model->Tokenize("the vector of");
  ASSERT_TRUE(with.ok() && plain.ok());
  EXPECT_EQ(with->ids, plain->ids);
}

TEST(Prompts, OneThatTheModelLacksIsAnErrorThatNamesThoseItHas) {
  Embedder embedder = MakeEmbedder(TestModel());
  Vector vector(embedder.dimensions());
  const Status status = embedder.Embed("a", vector, {.prompt_name = "passage"}).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  for (const char* part : {"\"passage\"", "query", "glue", "asym"}) {
    EXPECT_NE(status.message().find(part), std::string::npos) << status.message();
  }
  EXPECT_EQ(TestModel()->Tokenize("a", {.prompt_name = "x"}).status().code(), Code::kInvalidArgument);
}

TEST(Truncation, FollowsTheProfileUnlessALimitIsGiven) {
  test::TemporaryFolder folder;
  const std::string source = folder.File("m"), path = folder.File("m.safetensors");
  std::filesystem::create_directory(source);
  ASSERT_TRUE(test::WriteTestModel(source, {.positions = 600, .max_seq_length = 40, .tokenizer_max_length = 20}).ok());
  ASSERT_TRUE(ConvertModel(source, path, {}).ok());
  auto model = Model::Open(path);
  ASSERT_TRUE(model.ok()) << model.status().message();
  const std::string text(1000, '!');
  const std::map<Truncation, std::size_t> limits = {
      {Truncation::kSentenceTransformers, 40}, {Truncation::kTransformersJs, 512}, {Truncation::kTokenizers, 20}};
  auto pool = ModelPool::Create();
  for (const auto& [truncation, limit] : limits) {
    Report report;
    Embedder embedder = MakeEmbedder(*model, {.truncation = truncation});
    Embed(embedder, text, {}, &report);
    EXPECT_EQ(report.tokens, limit) << TruncationName(truncation);
    EXPECT_TRUE(report.truncated);
    EXPECT_EQ(embedder.plan().max_tokens, limit);
    // As in transformers.js, what is cut off is the last token, whatever it is.
    const std::vector<std::int32_t> ids = (*model)->Tokenize(text, {.truncation = truncation})->ids;
    ASSERT_EQ(ids.size(), limit);
    EXPECT_EQ(ids.back() == ids[1], truncation == Truncation::kTransformersJs);
    const Vector last = Embed(embedder, text, {.pooling = Pooling::kLast, .normalize = false});
    Vector rows(ids.size() * last.size());
    ASSERT_TRUE(embedder.EmbedIds(ids, rows).ok());
    EXPECT_EQ(Vector(rows.end() - static_cast<std::ptrdiff_t>(last.size()), rows.end()), last);
    Embedder given = MakeEmbedder(*model, {.max_tokens = 30, .truncation = truncation});
    EXPECT_EQ(given.plan().max_tokens, 30u);
    EXPECT_EQ(*ParseTruncation(TruncationName(truncation)), truncation);
    auto leased = ModelPool::Create({.embedder = {.truncation = truncation}})->Acquire(path);
    ASSERT_TRUE(leased.ok());
    EXPECT_EQ(leased->max_tokens(), limit);
  }
  EXPECT_EQ(ParseTruncation("none").status().code(), Code::kInvalidArgument);
  // Without a limit of its own, and with few positions.
  EXPECT_EQ(MakeEmbedder(TestModel(), {.truncation = Truncation::kTokenizers}).plan().max_tokens, 128u);
  EXPECT_EQ(MakeEmbedder(TestModel(), {.truncation = Truncation::kTransformersJs}).plan().max_tokens, 128u);
}

TEST(LongTexts, AsAnErrorSayWhichHowManyAndTheLimit) {
  for (const auto& model : {TestModel(), Mock()}) {
    for (std::size_t threads : {1, 3}) {
      Embedder embedder = MakeEmbedder(model, {.threads = threads, .max_tokens = kMaxTokens});
      std::vector<std::string> texts(40, "a text");
      texts[17] = texts[31] = std::string(50, '!');
      const std::vector<std::string_view> views(texts.begin(), texts.end());
      Vector vectors(texts.size() * model->dimensions());
      const VectorOptions options = {.long_texts = LongTexts::kError, .first_index = 100};
      const Status status = embedder.EmbedBatch(views, vectors, {}, options);
      EXPECT_EQ(status.code(), Code::kInvalidArgument);
      EXPECT_NE(status.message().find("texts[117]: 52 tokens, the limit is 24"), std::string::npos) << status.message();
      // What is left of a call that failed does not reach the next one.
      const Vector vector = Embed(embedder, texts[0], options);
      EXPECT_EQ(vector, Embed(embedder, texts[0]));
      EXPECT_EQ(Embed(embedder, std::string(22, '!'), options).size(), model->dimensions()) << "just fits";
    }
  }
}

// The windows of a text of whole words, as the header says they are.
struct Window {
  std::string text;
  std::size_t tokens = 0;
};
std::vector<Window> WindowsOf(const std::string& text, std::size_t room, std::size_t overlap,
                              const std::function<std::size_t(const std::string&)>& count) {
  std::vector<std::string> words;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    words.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  std::vector<Window> windows;
  for (std::size_t first = 0;;) {
    Window window;
    std::size_t next = first;
    for (; next < words.size() && window.tokens + count(words[next]) <= room; ++next) {
      window.text += words[next] + " ";
      window.tokens += count(words[next]);
    }
    windows.push_back(window);
    if (next == words.size()) return windows;
    first = next;
    for (std::size_t shared = 0; first > 0 && shared + count(words[first - 1]) <= overlap;) {
      shared += count(words[--first]);
    }
  }
}

TEST(LongTexts, InChunksAreTheWeightedMeanOfTheirWindows) {
  for (const auto& model : {TestModel(), Mock()}) {
    const bool mock = model->isa() == "none";
    auto count = [&](const std::string& word) -> std::size_t {
      return mock ? 1 : model->Tokenize(word, {.max_tokens = 100})->ids.size() - 2;
    };
    Embedder embedder = MakeEmbedder(model, {.max_tokens = kMaxTokens});
    for (const char* prompt : {"", "query"}) {
      const std::size_t prompt_tokens = *prompt == '\0' ? 0 : mock ? 2 : model->Tokenize("query: ")->ids.size() - 2;
      const std::size_t room = kMaxTokens - 2 - prompt_tokens;
      for (std::size_t overlap : {std::size_t{0}, std::size_t{3}, room / 2}) {
        for (std::size_t words : {1, 4, 13, 40, 200}) {
          for (bool normalize : {true, false}) {
            const std::string text = Words(words, static_cast<std::uint32_t>(words));
            const std::vector<Window> windows = WindowsOf(text, room, overlap, count);
            std::vector<double> sum(model->dimensions());
            double weight = 0;
            for (const Window& window : windows) {
              Report report;
              const Vector part = Embed(embedder, window.text, {.normalize = false, .prompt_name = prompt}, &report);
              ASSERT_FALSE(report.truncated);
              const auto tokens = static_cast<double>(window.tokens);
              for (std::size_t k = 0; k < sum.size(); ++k) sum[k] += tokens * part[k];
              weight += tokens;
            }
            double length = 0;
            for (double& value : sum) {
              value /= weight;
              length += value * value;
            }
            length = normalize ? std::sqrt(length) : 1;
            Report report;
            const Vector found = Embed(embedder, text,
                                       {.normalize = normalize,
                                        .prompt_name = prompt,
                                        .long_texts = LongTexts::kChunk,
                                        .chunk_overlap = overlap},
                                       &report);
            EXPECT_EQ(report.chunks, windows.size());
            EXPECT_FALSE(report.truncated);
            std::size_t tokens = 2 + prompt_tokens;
            for (std::size_t at = 0; at < text.size(); at = text.find(' ', at + 1)) {
              const std::size_t begin = at == 0 ? 0 : at + 1;
              tokens += count(text.substr(begin, text.find(' ', begin) - begin));
            }
            EXPECT_EQ(report.tokens, tokens);
            // Each value is rounded twice on its way.
            for (std::size_t k = 0; k < sum.size(); ++k) {
              ASSERT_NEAR(found[k], sum[k] / length, 3e-7 * std::max(1.0, std::abs(sum[k] / length))) << k;
            }
          }
        }
      }
    }
  }
}

TEST(LongTexts, InChunksOfOneHaveTheBitsOfTruncation) {
  for (const auto& model : {TestModel(), Mock()}) {
    Embedder embedder = MakeEmbedder(model, {.max_tokens = kMaxTokens});
    for (const std::string& text : {std::string(), std::string("   "), Words(4), std::string(22, '!') + "  "}) {
      Report report;
      EXPECT_EQ(Embed(embedder, text, kChunk, &report), Embed(embedder, text));
      EXPECT_EQ(report.chunks, 1u) << text;
    }
    Report report;
    Embed(embedder, std::string(23, '!'), kChunk, &report);
    EXPECT_EQ(report.chunks, 2u);
  }
}

TEST(LongTexts, InChunksHaveTheSameBitsInAnyBatchOrderTileAndNumberOfThreads) {
  for (const auto& model : {TestModel(), Mock()}) {
    std::vector<std::string> texts;
    for (std::uint32_t i = 0; i < 40; ++i) texts.push_back(Words(i % 4 == 0 ? 150 : i % 7, i));
    Embedder alone = MakeEmbedder(model, {.max_tokens = kMaxTokens});
    std::vector<Vector> expected;
    for (const std::string& text : texts) expected.push_back(Embed(alone, text, kChunk));
    std::vector<std::string_view> views(texts.rbegin(), texts.rend());
    const std::size_t least =
        alone.plan().fixed_bytes + model->engine().ScratchBytes({.max_tokens = kMaxTokens, .tile_tokens = kMaxTokens});
    for (const EmbedderOptions& options :
         {EmbedderOptions{.max_tokens = kMaxTokens}, EmbedderOptions{.threads = 3, .max_tokens = kMaxTokens},
          EmbedderOptions{.max_tokens = kMaxTokens, .max_memory = least}}) {
      Embedder embedder = MakeEmbedder(model, options);
      Vector vectors(texts.size() * model->dimensions());
      std::vector<Report> reports(texts.size());
      ASSERT_TRUE(embedder.EmbedBatch(views, vectors, reports, kChunk).ok());
      for (std::size_t i = 0; i < texts.size(); ++i) {
        const Vector found(vectors.begin() + i * model->dimensions(), vectors.begin() + (i + 1) * model->dimensions());
        EXPECT_EQ(found, expected[texts.size() - 1 - i]) << i;
        EXPECT_EQ(reports[i].chunks > 1, views[i].size() > 400) << i;
      }
    }
  }
}

TEST(LongTexts, InChunksMayHaveWordsLongerThanAWindow) {
  Embedder embedder = MakeEmbedder(TestModel(), {.max_tokens = 10});
  std::string text = "the " + std::string(90, 'q') + " of " + std::string(77, 'z') + " memory";
  for (std::size_t overlap = 0; overlap <= 4; ++overlap) {
    Report report;
    Embed(embedder, text, {.long_texts = LongTexts::kChunk, .chunk_overlap = overlap}, &report);
    EXPECT_EQ(report.tokens, 2u + 1 + 90 + 1 + 77 + 1);
    EXPECT_GE(report.chunks, 170u / 8);
    EXPECT_LE(report.chunks, 170u / 4);
  }
}

TEST(LongTexts, RefuseWindowsThatHaveNoRoom) {
  Embedder embedder = MakeEmbedder(TestModel());
  Vector vector(embedder.dimensions());
  auto refusal = [&](const VectorOptions& options) {
    const Status status = embedder.Embed("a", vector, options).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    return status.message();
  };
  EXPECT_NE(refusal({.prompt_name = "long", .long_texts = LongTexts::kChunk}).find("leaves no room"),
            std::string::npos);
  EXPECT_NE(refusal({.long_texts = LongTexts::kChunk, .chunk_overlap = 12}).find("at most 11"), std::string::npos);
  EXPECT_TRUE(embedder.Embed("a", vector, {.long_texts = LongTexts::kChunk, .chunk_overlap = 11}).ok());
  EXPECT_EQ(ParseLongTexts("split").status().code(), Code::kInvalidArgument);
  for (LongTexts each : {LongTexts::kTruncate, LongTexts::kError, LongTexts::kChunk}) {
    EXPECT_EQ(*ParseLongTexts(LongTextsName(each)), each);
  }
}

}  // namespace
}  // namespace thimble
