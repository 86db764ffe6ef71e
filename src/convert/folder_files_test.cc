// Tests of choosing files of a Hugging Face folder.

#include "convert/folder_files.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace thimble::convert {
namespace {

TEST(FolderFiles, TheBestWeightsThatAreThereAreChosen) {
  for (const char* module : {"", "0_Transformer", "a/b/"}) {
    std::vector<std::string> names = WeightCandidates(module);
    EXPECT_EQ(names.front(), JoinName(module, "model.safetensors"));
    std::set<std::string> there(names.begin(), names.end());
    const auto has = [&](const std::string& name) { return there.contains(name); };
    for (const std::string& name : names) {
      EXPECT_EQ(ChooseWeights(has, module), name);
      there.erase(name);
    }
    EXPECT_EQ(ChooseWeights(has, module), "");
  }
  const auto has = [](const std::string& name) { return name == "model.safetensors"; };
  EXPECT_EQ(ChooseWeights(has, ""), "model.safetensors");
  EXPECT_EQ(ChooseWeights(has, "0_Transformer"), "");
}

TEST(FolderFiles, AHeadHasNoGraph) {
  const auto has = [](const std::string& name) {
    return name == "2_Dense/onnx/model.onnx" || name == "2_Dense/pytorch_model.bin";
  };
  EXPECT_EQ(ChooseHeadWeights(has, "2_Dense"), "2_Dense/pytorch_model.bin");
  EXPECT_EQ(ChooseHeadWeights(has, ""), "");
}

TEST(FolderFiles, ANameThatLeadsOutIsNotInside) {
  for (const char* name : {"a", "a/b", "1_Pooling", "a..b/..c", "1/2/3/4/5/6/7/8"}) EXPECT_TRUE(IsInside(name)) << name;
  for (const char* name : {"", "/", "/a", "a/", "a//b", ".", "..", "./a", "a/..", "a/../b", "../a", "a\\b",
                           "C:", "C:/a", "a\nb", "1/2/3/4/5/6/7/8/9"}) {
    EXPECT_FALSE(IsInside(name)) << name;
  }
  EXPECT_FALSE(IsInside(std::string("a\0b", 3)));
  EXPECT_FALSE(IsInside(std::string(256, 'a')));
}

TEST(FolderFiles, ExternalDataLiesBesideItsGraph) {
  EXPECT_TRUE(IsExternalDataOf("onnx/model.onnx", "onnx/model.onnx_data"));
  EXPECT_TRUE(IsExternalDataOf("onnx/model.onnx", "onnx/model.onnx.data"));
  EXPECT_TRUE(IsExternalDataOf("model.onnx", "model.onnx_data_1"));
  for (const char* name :
       {"onnx/model.onnx", "onnx/model_fp16.onnx_data", "model.onnx_data", "onnx/model.onnx_x/data"}) {
    EXPECT_FALSE(IsExternalDataOf("onnx/model.onnx", name)) << name;
  }
  EXPECT_TRUE(IsWeightIndex("model.safetensors.index.json"));
  EXPECT_FALSE(IsWeightIndex("model.safetensors"));
}

TEST(FolderFiles, ModulesWithoutATransformerAreRefusedByTheFirst) {
  FolderView view;
  view.has = [](const std::string&) { return true; };
  view.read = [](const std::string&) -> Result<std::string> {
    return std::string(R"([{"path":"0_StaticEmbedding","type":"sentence_transformers.models.StaticEmbedding"}])");
  };
  const Result<ModuleFolders> modules = ReadModuleFolders(view);
  ASSERT_FALSE(modules.ok());
  EXPECT_EQ(modules.status().code(), Code::kUnsupported);
  EXPECT_NE(modules.status().message().find("StaticEmbedding"), std::string::npos) << modules.status().message();
}

TEST(FolderFiles, TheVocabularyOfEveryClassIsConfigurationWhereNoTokenizerJsonIs) {
  using Names = std::vector<std::string>;
  const auto files = [](const std::string& folder, const Names& names) {
    std::set<std::string> there = {JoinName(folder, "config.json")};
    for (const std::string& name : names) there.insert(JoinName(folder, name));
    FolderView view;
    view.has = [there](const std::string& name) { return there.contains(name); };
    return ConfigurationFiles(view, {.transformer = folder, .others = {}});
  };
  for (const char* folder : {"", "0_Transformer"}) {
    for (const Names& names :
         {Names{"vocab.txt"}, Names{"vocab.json", "merges.txt"}, Names{"sentencepiece.bpe.model"}}) {
      const Result<Names> found = files(folder, names);
      ASSERT_TRUE(found.ok()) << found.status().message();
      for (const std::string& name : names) {
        EXPECT_EQ(std::count(found->begin(), found->end(), JoinName(folder, name)), 1) << name;
      }
    }
    // It is not read, and need not be downloaded.
    const Result<Names> both = files(folder, {"tokenizer.json", "sentencepiece.bpe.model"});
    ASSERT_TRUE(both.ok()) << both.status().message();
    EXPECT_EQ(std::count(both->begin(), both->end(), JoinName(folder, "sentencepiece.bpe.model")), 0);
    for (const Names& names : {Names{}, Names{"vocab.json"}, Names{"merges.txt"}}) {
      const Result<Names> found = files(folder, names);
      ASSERT_FALSE(found.ok());
      EXPECT_EQ(found.status().code(), Code::kNotFound);
      EXPECT_NE(found.status().message().find("merges.txt"), std::string::npos) << found.status().message();
    }
  }
}

}  // namespace
}  // namespace thimble::convert
