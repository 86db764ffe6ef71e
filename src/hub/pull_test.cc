// Tests of pulling folders; the network is that of tests/hub/hub_test.py.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/support/test_model.h"
#include "thimble/hub.h"

namespace thimble::inline v0_1 {
namespace {

using test::TemporaryFolder;

TEST(PullModel, ProgressThatSaysNoEndsAConversionAndLeavesNothing) {
  TemporaryFolder source, models;
  const std::string model = source.File("tiny");
  ASSERT_TRUE(std::filesystem::create_directory(model));
  ASSERT_TRUE(test::WriteTestModel(model).ok());
  PullOptions options = {.folder = models.path()};
  options.progress = [](const PullProgress& progress) { return progress.stage != PullProgress::Stage::kConverting; };
  const Result<PulledModel> ended = PullModel(model, options);
  EXPECT_EQ(ended.status().code(), Code::kIo);
  EXPECT_EQ(ended.status().message(), "the conversion was aborted");
  EXPECT_TRUE(std::filesystem::is_empty(models.path()));

  options.progress = {};
  const Result<PulledModel> pulled = PullModel(model, options);
  ASSERT_TRUE(pulled.ok()) << pulled.status().message();
  EXPECT_TRUE(std::filesystem::exists(models.File("tiny-q8.safetensors")));
}

}  // namespace
}  // namespace thimble::inline v0_1
