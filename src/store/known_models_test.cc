// The table of known models: every name leads to its model, and the facts are those that were published.

#include "store/known_models.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace thimble::store {
namespace {

TEST(KnownModels, EveryNameLeadsToItsModelInAnyCase) {
  std::set<std::string> names;
  for (const KnownModel& model : KnownModels()) {
    std::vector<std::string> all = {std::string(model.name()), std::string(model.repository)};
    all.insert(all.end(), model.aliases().begin(), model.aliases().end());
    for (std::string name : all) {
      EXPECT_TRUE(names.insert(name).second) << name << " twice";
      EXPECT_EQ(FindKnownModel(name), &model) << name;
      for (char& c : name) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
      EXPECT_EQ(FindKnownModel(name), &model) << name;
    }
    EXPECT_TRUE(names.contains("Xenova/" + std::string(model.name()))) << model.name();
    EXPECT_EQ(model.repository.substr(model.repository.find('/') + 1), model.name());
  }
}

TEST(KnownModels, AnotherOrganisationsModelIsNotKnown) {
  for (const char* name :
       {"", "all-MiniLM", "somebody/all-MiniLM-L6-v2", "Xenova/", "all-MiniLM-L6-v2 ", "bge-large-en-v1.5"}) {
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
  EXPECT_EQ(KnownModels().size(), expected.size());
  for (const auto& [name, facts] : expected) {
    const KnownModel* model = FindKnownModel(name);
    ASSERT_NE(model, nullptr) << name;
    EXPECT_EQ(model->repository, facts.organisation + std::string("/") + name);
    EXPECT_EQ(model->pooling, facts.pooling) << name;
    EXPECT_EQ(model->normalize, facts.normalize) << name;
    EXPECT_EQ(model->max_tokens, facts.max_tokens) << name;
    std::vector<Prompt> prompts;
    for (const KnownPrompt& prompt : model->prompts) {
      prompts.push_back({std::string(prompt.name), std::string(prompt.text)});
    }
    EXPECT_EQ(prompts, facts.prompts) << name;
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
