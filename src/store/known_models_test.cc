// The table of known models: every name leads to its model, and the facts are those that were published.

#include "store/known_models.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "tests/support/test_model.h"
#include "thimble/known_models.h"

namespace thimble::store {
namespace {

TEST(KnownModels, EveryNameLeadsToItsModelInAnyCase) {
  std::set<std::string> names;
  for (const KnownModel& model : AllKnownModels()) {
    std::vector<std::string> all = {std::string(model.name()), std::string(std::string_view(model.repository))};
    for (std::string_view alias : model.aliases()) all.emplace_back(alias);
    for (std::string name : all) {
      EXPECT_TRUE(names.insert(name).second) << name << " twice";
      EXPECT_EQ(FindKnownModel(name), &model) << name;
      for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      EXPECT_EQ(FindKnownModel(name), &model) << name;
    }
  }
}

TEST(KnownModels, AnotherOrganisationsModelIsNotKnown) {
  for (const char* name :
       {"", "all-MiniLM", "somebody/all-MiniLM-L6-v2", "Xenova/", "all-MiniLM-L6-v2 ", "bge-large-en"}) {
    EXPECT_EQ(FindKnownModel(name), nullptr) << name;
  }
}

TEST(KnownModels, HaveTheFactsOfTheirRepositories) {
  struct Facts {
    const char* organisation;
    Pooling pooling;
    bool normalize;
    std::size_t max_tokens;
    std::vector<Prompt> prompts;
  };
  const std::vector<Prompt> search = {{"query", "Represent this sentence for searching relevant passages: "}};
  const std::vector<Prompt> both = {{"query", "query: "}, {"passage", "passage: "}};
  const std::string st = "sentence-transformers";
  const std::map<std::string, Facts> expected = {
      {"all-MiniLM-L6-v2", {st.c_str(), Pooling::kMean, true, 256, {}}},
      {"all-MiniLM-L12-v2", {st.c_str(), Pooling::kMean, true, 128, {}}},
      {"paraphrase-MiniLM-L3-v2", {st.c_str(), Pooling::kMean, false, 128, {}}},
      {"multi-qa-MiniLM-L6-cos-v1", {st.c_str(), Pooling::kMean, true, 512, {}}},
      {"bge-small-en-v1.5", {"BAAI", Pooling::kCls, true, 512, search}},
      {"bge-base-en-v1.5", {"BAAI", Pooling::kCls, true, 512, search}},
      {"e5-small-v2", {"intfloat", Pooling::kMean, true, 512, both}},
      {"e5-base-v2", {"intfloat", Pooling::kMean, true, 512, both}},
      {"gte-small", {"thenlper", Pooling::kMean, true, 512, {}}},
      {"gte-base", {"thenlper", Pooling::kMean, true, 512, {}}},
      {"snowflake-arctic-embed-xs", {"Snowflake", Pooling::kCls, true, 512, search}},
      {"snowflake-arctic-embed-s", {"Snowflake", Pooling::kCls, true, 512, search}}};
  for (const auto& [name, facts] : expected) {
    const KnownModel* model = FindKnownModel(name);
    ASSERT_NE(model, nullptr) << name;
    EXPECT_EQ(std::string_view(model->repository), facts.organisation + std::string("/") + name);
    EXPECT_EQ(model->pooling(), facts.pooling) << name;
    EXPECT_EQ(model->normalize, facts.normalize) << name;
    EXPECT_EQ(model->max_tokens, facts.max_tokens) << name;
    EXPECT_EQ(model->prompts(), facts.prompts) << name;
  }
}

TEST(KnownModels, StateNothingForSourcesWithModulesOrWithoutPooling) {
  for (const KnownModel& model : AllKnownModels()) {
    const bool must_state = model.shape.dense != 0 || model.kind == KnownModel::Kind::kReranker;
    EXPECT_FALSE(must_state && model.pooling()) << model.name();
    EXPECT_FALSE(!model.pooling() && model.normalize) << model.name();
  }
}

TEST(KnownModels, RowsAreComplete) {
  EXPECT_EQ(AllKnownModels().size(), 60u);
  for (const KnownModelInfo& model : thimble::KnownModels()) {
    const bool runs = model.missing.empty();
    EXPECT_FALSE(model.licence.empty()) << model.repository;
    EXPECT_FALSE(model.family.empty()) << model.repository;
    EXPECT_EQ(model.dimensions == 0, model.reranker) << model.repository;
    EXPECT_EQ(model.bytes_q8 > model.bytes_q4, runs) << model.repository;
    EXPECT_EQ(model.bytes_q4 > 10'000'000, runs) << model.repository;
    EXPECT_TRUE(model.max_tokens > 0 || !runs) << model.repository;
    for (const auto& [score, tasks] : {std::pair(model.mteb_english, 41), std::pair(model.mteb_multilingual, 130)}) {
      if (!score) continue;
      EXPECT_GT(score->mean, 25) << model.repository;
      EXPECT_LT(score->mean, 75) << model.repository;
      EXPECT_GT(score->retrieval, 10) << model.repository;
      EXPECT_LT(score->retrieval, 65) << model.repository;
      EXPECT_LE(score->tasks, static_cast<std::size_t>(tasks)) << model.repository;
      EXPECT_GT(score->tasks, static_cast<std::size_t>(tasks) * 9 / 10) << model.repository;
    }
  }
}

// The sizes of the table against those of files with the same shapes.
TEST(KnownModels, SizesAreThoseOfTheirFiles) {
  KnownModel row = *FindKnownModel("all-MiniLM-L6-v2");
  row.shape = {.layers = 2, .hidden = 256, .intermediate = 1024, .positions = 512, .vocabulary = 8192};
  const test::TemporaryFolder folder;
  const test::TestModelOptions options = {
      .hidden = 256, .layers = 2, .heads = 8, .intermediate = 1024, .positions = 512, .extra_vocabulary = 8000};
  for (const format::Dtype dtype : {format::Dtype::kQ8, format::Dtype::kQ4}) {
    const Result<std::string> path = test::ConvertTestModel(folder.path(), dtype, options);
    ASSERT_TRUE(path.ok()) << path.status().message();
    const double found = static_cast<double>(std::filesystem::file_size(*path));
    EXPECT_NEAR(static_cast<double>(row.FileBytes(dtype)) / found, 1, 0.02) << format::DtypeName(dtype);
  }
}

TEST(KnownModels, WhoseLayerNormIsCutAreKnownByName) {
  EXPECT_TRUE(CutsLayerNorm("nomic-embed-text-v1.5"));
  EXPECT_TRUE(CutsLayerNorm("nomic-ai/Nomic-Embed-Text-v1.5"));
  EXPECT_FALSE(CutsLayerNorm("nomic-embed-text-v1"));
  EXPECT_FALSE(CutsLayerNorm("acme/nomic-embed-text-v1.5"));
}

}  // namespace
}  // namespace thimble::store
