// Unit tests of giving a model file a second name.

#include "hub/convert_source.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/test_model.h"

namespace thimble::hub {
namespace {

namespace fs = std::filesystem;

void Write(const std::string& path, const std::string& contents) { std::ofstream(path, std::ios::binary) << contents; }

dev_t DeviceOf(const std::string& path) {
  struct stat found = {};
  return stat(path.c_str(), &found) == 0 ? found.st_dev : 0;
}

TEST(Link, GivesOneFileTwoNames) {
  test::TemporaryFolder folder;
  const std::string from = folder.File("a"), to = folder.File("below/b");
  Write(from, "new");
  ASSERT_TRUE(Link(from, to).ok());
  EXPECT_TRUE(fs::equivalent(from, to));
  Write(folder.File("c"), "other");
  ASSERT_TRUE(Link(folder.File("c"), to).ok());
  EXPECT_EQ(test::ReadFile(to), "other");
  EXPECT_EQ(test::ReadFile(from), "new");
  ASSERT_TRUE(Link(to, to).ok());
  EXPECT_EQ(test::ReadFile(to), "other");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.File("below")), {}), 1);
  EXPECT_EQ(Link(folder.File("absent"), to).code(), Code::kNotFound);
  EXPECT_EQ(test::ReadFile(to), "other");
}

TEST(Link, CopiesToAnotherFileSystem) {
  test::TemporaryFolder folder;
  std::string other = "/dev/shm/thimble-link-XXXXXX";
  if (mkdtemp(other.data()) == nullptr || DeviceOf(other) == DeviceOf(folder.path())) {
    GTEST_SKIP() << "/dev/shm is no file system of its own";
  }
  std::string contents(200001, 'x');
  for (std::size_t i = 0; i < contents.size(); ++i) contents[i] = static_cast<char>(i * 31 >> 3);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{65536}, contents.size()}) {
    Write(other + "/a", contents.substr(0, size));
    const Status status = Link(other + "/a", folder.File("b"));
    ASSERT_TRUE(status.ok()) << status.message();
    EXPECT_EQ(test::ReadFile(folder.File("b")), contents.substr(0, size));
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
  fs::remove_all(other);
}

}  // namespace
}  // namespace thimble::hub
