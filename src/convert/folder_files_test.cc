// Tests of choosing files of a Hugging Face folder.

#include "convert/folder_files.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

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

}  // namespace
}  // namespace thimble::convert
