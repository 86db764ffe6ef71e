// Tests of the way from names to files.

#include "thimble/cache.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <optional>
#include <string>

namespace thimble::inline v0_1 {
namespace {

// Sets environment variables and puts them back.
class EnvironmentTest : public testing::Test {
 protected:
  ~EnvironmentTest() override {
    for (const auto& [name, value] : before_) {
      if (value) {
        setenv(name.c_str(), value->c_str(), 1);
      } else {
        unsetenv(name.c_str());
      }
    }
  }
  void Set(const std::string& name, const char* value) {
    if (!before_.contains(name)) {
      const char* found = std::getenv(name.c_str());
      before_[name] = found == nullptr ? std::nullopt : std::optional<std::string>(found);
    }
    if (value == nullptr) {
      unsetenv(name.c_str());
    } else {
      setenv(name.c_str(), value, 1);
    }
  }

 private:
  std::map<std::string, std::optional<std::string>> before_;
};

TEST_F(EnvironmentTest, TheFolderIsTheFirstThatIsSet) {
  Set("THIMBLE_HOME", "/a b/models");
  Set("XDG_CACHE_HOME", "/xdg");
  Set("HOME", "/home/me");
  EXPECT_EQ(CacheFolder(), "/a b/models");
  Set("THIMBLE_HOME", "");
  EXPECT_EQ(CacheFolder(), "/xdg/thimble");
  Set("XDG_CACHE_HOME", "relative");
  EXPECT_EQ(CacheFolder(), "/home/me/.cache/thimble");
  Set("XDG_CACHE_HOME", nullptr);
  EXPECT_EQ(CacheFolder(), "/home/me/.cache/thimble");
  Set("HOME", nullptr);
  EXPECT_EQ(CacheFolder(), "");
  EXPECT_EQ(ModelPath("tiny").status().code(), Code::kNotFound);
}

TEST(ModelName, HasAnOrganisationAndARevision) {
  for (const char* name : {"all-MiniLM-L6-v2", "a/b", "_x.1/-y", "safetensors", "a@v2", "a/b@refs/pr/1", "a@main"}) {
    EXPECT_TRUE(IsModelName(name)) << name;
  }
  for (const char* name : {"",
                           "/",
                           "a/",
                           "/a",
                           "a/b/c",
                           "..",
                           "a/..",
                           "../a",
                           ".a",
                           "a/.b",
                           "a b",
                           "a\\b",
                           "a:b",
                           "a\n",
                           "@v",
                           "a@",
                           "a@/v",
                           "a@v/",
                           "a@b..c",
                           "a@v 2",
                           "a@-v",
                           "a@v@w",
                           "a@b//c",
                           "a/@v",
                           "a@\n",
                           "a@b\\c",
                           "\xC3\xA9",
                           "mock",
                           "mock-hashed",
                           "a.safetensors",
                           "a/b.safetensors"}) {
    EXPECT_FALSE(IsModelName(name)) << name;
  }
}

TEST(ModelPath, JoinsFolderOrganisationNameRevisionAndDtype) {
  EXPECT_EQ(*ModelPath("tiny", "q4", "/nowhere"), "/nowhere/tiny-q4.safetensors");
  EXPECT_EQ(*ModelPath("test/tiny", "q4-small", "/nowhere"), "/nowhere/test/tiny-q4-small.safetensors");
  EXPECT_EQ(*ModelPath("test/tiny@main", "q8", "/nowhere"), "/nowhere/test/tiny-q8.safetensors");
  EXPECT_EQ(*ModelPath("test/tiny@v2", "q8", "/nowhere"), "/nowhere/test/tiny@v2-q8.safetensors");
  EXPECT_EQ(*ModelPath("test/tiny@refs/pr/1", "q8", "/nowhere"), "/nowhere/test/tiny@refs%2Fpr%2F1-q8.safetensors");
  EXPECT_NE(*ModelPath("tiny@V2", "q8", "/nowhere"), *ModelPath("tiny@v2", "q8", "/nowhere"));
  EXPECT_EQ(*ModelPath("x/../y.safetensors", "", "/nowhere"), "x/../y.safetensors");
  EXPECT_EQ(*ModelPath("mock", "", "/nowhere"), "mock");
  EXPECT_EQ(*ModelPath("tiny", "", "/nowhere"), "/nowhere/tiny-q8.safetensors");
  for (const char* dtype : {"q/8", "../q8", "..", "q5"}) {
    EXPECT_EQ(ModelPath("tiny", dtype, "/nowhere").status().code(), Code::kInvalidArgument) << dtype;
  }
  EXPECT_EQ(ModelPath("a b", "q8", "/nowhere").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(ModelPath("../nowhere/tiny", "q8", "/nowhere").status().code(), Code::kNotFound);
}

TEST_F(EnvironmentTest, AMissingModelIsNamedWithTheCommandThatGetsIt) {
  const auto advice = [](const char* name, const char* folder) {
    const Status status = OpenModel(name, "q4", folder).status();
    EXPECT_EQ(status.code(), Code::kNotFound);
    const std::size_t begin = status.message().find("get it with: ");
    return begin == std::string::npos ? "" : status.message().substr(begin + 13);
  };
  Set("THIMBLE_HOME", "/nowhere");
  EXPECT_EQ(advice("test/tiny", ""), "thimble pull test/tiny --dtype q4");
  EXPECT_EQ(advice("tiny", "/nowhere"), "thimble pull tiny --dtype q4");
  EXPECT_EQ(advice("tiny", "/elsewhere"), "THIMBLE_HOME=/elsewhere thimble pull tiny --dtype q4");
  EXPECT_EQ(advice("tiny", "/it's $HOME"), "THIMBLE_HOME='/it'\\''s $HOME' thimble pull tiny --dtype q4");
  EXPECT_EQ(advice("test/tiny@v2", ""), "thimble pull test/tiny@v2 --dtype q4");
  EXPECT_EQ(advice("/nowhere/x.safetensors", ""), "");
}

}  // namespace
}  // namespace thimble::inline v0_1
