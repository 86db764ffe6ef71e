// Tests of where each part of the configuration comes from; what is refused is in tests/hostile_test.cc.

#include "convert/config.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/test_model.h"

namespace thimble::convert {
namespace {

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() { EXPECT_TRUE(test::WriteTestModel(folder_.path()).ok()); }

  void Write(const std::string& file, const std::string& json) {
    EXPECT_TRUE(test::WriteFile(folder_.File(file), json).ok());
  }
  void Remove(const std::string& file) { EXPECT_TRUE(std::filesystem::remove(folder_.File(file))); }
  Config Read(const Defaults& defaults = {}) {
    auto config = ReadConfig(folder_.path(), defaults);
    EXPECT_TRUE(config.ok()) << config.status().message();
    return config.ok() ? *config : Config();
  }

  test::TemporaryFolder folder_;
};

TEST_F(ConfigTest, SizesComeFromConfigJson) {
  const Config config = Read();
  EXPECT_EQ(config.hidden, 64u);
  EXPECT_EQ(config.layers, 2u);
  EXPECT_EQ(config.heads, 2u);
  EXPECT_EQ(config.intermediate, 128u);
  EXPECT_EQ(config.positions, 128u);
  EXPECT_EQ(config.token_types, 2u);
  EXPECT_EQ(config.layer_norm_epsilon, 1e-12);
}

TEST_F(ConfigTest, FieldsThatOldFilesLackHaveBertsValues) {
  Write("config.json",
        R"({"model_type":"bert","hidden_size":64,"num_hidden_layers":1,"num_attention_heads":1,"intermediate_size":64,
            "max_position_embeddings":32,"vocab_size":100,"hidden_act":null})");
  const Config config = Read();
  EXPECT_EQ(config.token_types, 2u);
  EXPECT_EQ(config.layer_norm_epsilon, 1e-12);
}

TEST_F(ConfigTest, LimitIsTheFirstThatIsGivenAndAtMostThePositions) {
  EXPECT_EQ(Read().max_tokens, 64u);
  Write("tokenizer_config.json", "{\"model_max_length\": 100}");
  EXPECT_EQ(Read().max_tokens, 64u) << "sentence_bert_config.json comes first";
  Write("sentence_bert_config.json", "{\"max_seq_length\": 999}");
  EXPECT_EQ(Read().max_tokens, 128u);
  Write("sentence_bert_config.json", "{\"max_seq_length\": null}");
  EXPECT_EQ(Read().max_tokens, 100u);
  Remove("sentence_bert_config.json");
  EXPECT_EQ(Read().max_tokens, 100u);
  Write("tokenizer_config.json", "{\"model_max_length\": 1000000000000000019884624838656}");
  EXPECT_EQ(Read().max_tokens, 128u) << "what is written for no limit";
  Remove("tokenizer_config.json");
  EXPECT_EQ(Read().max_tokens, 128u);
}

TEST_F(ConfigTest, PoolingComesFromItsModule) {
  EXPECT_EQ(Read().pooling, Pooling::kMean);
  Write("1_Pooling/config.json", R"({"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false})");
  EXPECT_EQ(Read().pooling, Pooling::kCls);
  Write("1_Pooling/config.json", R"({"pooling_mode_lasttoken":true,"word_embedding_dimension":64})");
  EXPECT_EQ(Read().pooling, Pooling::kLast);
}

TEST_F(ConfigTest, VectorsHaveUnitLengthWhereAModuleSaysSo) {
  EXPECT_TRUE(Read().normalize);
  Write("modules.json", R"([{"path":"","type":"sentence_transformers.models.Transformer"},
                            {"path":"1_Pooling","type":"sentence_transformers.models.Pooling"}])");
  EXPECT_FALSE(Read().normalize);
}

TEST_F(ConfigTest, WithoutModulesPoolingIsTheMeanAndVectorsHaveUnitLength) {
  Write("1_Pooling/config.json", R"({"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false})");
  Remove("modules.json");
  const Config config = Read();
  EXPECT_EQ(config.pooling, Pooling::kMean);
  EXPECT_TRUE(config.normalize);
}

TEST_F(ConfigTest, WhatIsKnownOfAModelCountsWhereItsFilesAreSilent) {
  const Defaults defaults = {
      .pooling = Pooling::kCls, .normalize = false, .max_tokens = 50, .prompts = {{"query", "query: "}}};
  Config config = Read(defaults);
  EXPECT_EQ(config.pooling, Pooling::kMean);
  EXPECT_TRUE(config.normalize);
  EXPECT_EQ(config.max_tokens, 64u);
  EXPECT_EQ(config.prompts, defaults.prompts);

  Remove("modules.json");
  Remove("sentence_bert_config.json");
  Write("tokenizer_config.json", "{\"model_max_length\": 100}");
  config = Read(defaults);
  EXPECT_EQ(config.pooling, Pooling::kCls);
  EXPECT_FALSE(config.normalize);
  EXPECT_EQ(config.max_tokens, 50u) << "where the tokenizer would truncate says less than where the model was cut";
  EXPECT_EQ(Read({.max_tokens = 1000}).max_tokens, 128u) << "the positions bound it";
}

TEST_F(ConfigTest, PromptsComeFromTheirFileUnlessNoneHasAText) {
  const std::string file = "config_sentence_transformers.json";
  const Defaults defaults = {.prompts = {{"query", "q: "}}};
  EXPECT_TRUE(Read().prompts.empty());
  Write(file, R"({"prompts": {"query": "find: ", "document": ""}, "default_prompt_name": null})");
  const std::vector<Prompt> own = {{"document", ""}, {"query", "find: "}};
  EXPECT_EQ(Read(defaults).prompts, own);
  Write(file, R"({"prompts": {"query": "", "document": ""}})");
  EXPECT_EQ(Read(defaults).prompts, defaults.prompts);
  EXPECT_TRUE(Read().prompts.empty());
  Write(file, R"({"__version__": {}})");
  EXPECT_EQ(Read(defaults).prompts, defaults.prompts);
}

TEST_F(ConfigTest, PromptsThatCannotBeAreRefused) {
  const std::string file = "config_sentence_transformers.json";
  auto refusal = [&](const std::string& json) {
    Write(file, json);
    auto config = ReadConfig(folder_.path());
    EXPECT_FALSE(config.ok());
    return config.status();
  };
  Status status = refusal(R"({"default_prompt_name": "query", "prompts": {"query": "q: "}})");
  EXPECT_EQ(status.code(), Code::kUnsupported);
  EXPECT_NE(status.message().find("default_prompt_name"), std::string::npos) << status.message();
  status = refusal(R"({"prompts": {"query": 1}})");
  EXPECT_EQ(status.code(), Code::kCorrupt);
  EXPECT_NE(status.message().find("prompts.query"), std::string::npos) << status.message();
  EXPECT_EQ(refusal(R"({"prompts": ["query: "]})").code(), Code::kCorrupt);
  std::string many = "{\"prompts\": {\"a\": \"a\"";
  for (int i = 0; i < 64; ++i) many += ", \"p" + std::to_string(i) + "\": \"a\"";
  EXPECT_EQ(refusal(many + "}}").code(), Code::kCorrupt);
}

}  // namespace
}  // namespace thimble::convert
