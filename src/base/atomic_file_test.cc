// Files that take their name when they are complete, and what is left of them when they do not.

#include "base/atomic_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

#include "base/leftover.h"
#include "base/regular_file.h"
#include "base/thread.h"
#include "tests/support/files.h"

namespace thimble::base {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_.File(name); }
  std::string Make(const std::string& name, const std::string& contents = "old") const {
    std::ofstream(Path(name)) << contents;
    return Path(name);
  }
  static Status Replace(const std::string& path, const std::string& contents) {
    auto file = AtomicFile::Create(path);
    if (!file.ok()) return file.status();
    Status status = file->Write(std::as_bytes(std::span(contents)));
    return status.ok() ? file->Commit() : status;
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder_.path())) names.push_back(entry.path().filename().string());
    std::sort(names.begin(), names.end());
    return names;
  }

  test::TemporaryFolder folder_;
};

TEST_F(AtomicFileTest, TakesANewNameAndReplacesAnOldOne) {
  for (const char* contents : {"first", "second", ""}) {
    ASSERT_TRUE(Replace(Path("file"), contents).ok());
    EXPECT_EQ(test::ReadFile(Path("file")), contents);
    EXPECT_EQ(Names(), std::vector<std::string>{"file"});
  }
}

TEST_F(AtomicFileTest, KeepsThePermissionsOfWhatItReplaces) {
  const std::string path = Make("file");
  for (mode_t mode : {0600u, 0640u, 0444u, 0666u}) {
    chmod(path.c_str(), mode | S_ISUID);
    ASSERT_TRUE(Replace(path, "new").ok());
    struct stat found = {};
    ASSERT_EQ(stat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 07777, mode);
  }
}

TEST_F(AtomicFileTest, MakesTheFileBehindALink) {
  fs::create_directory(Path("there"));
  fs::create_symlink("there/file", Path("link"));
  for (const char* contents : {"first", "second"}) {
    ASSERT_TRUE(Replace(Path("link"), contents).ok());
    EXPECT_TRUE(fs::is_symlink(Path("link")));
    EXPECT_EQ(test::ReadFile(Path("there/file")), contents);
  }
}

TEST_F(AtomicFileTest, RefusesWhatIsNoFile) {
  ASSERT_EQ(mkfifo(Path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(AtomicFile::Create(Path("fifo")).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(AtomicFile::Create(folder_.path()).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(AtomicFile::Create(Path("new/")).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(AtomicFile::Create("").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(AtomicFile::Create(Path("missing/file")).status().code(), Code::kNotFound);
  EXPECT_EQ(Names(), std::vector<std::string>{"fifo"});
}

TEST_F(AtomicFileTest, WorksWithTheLongestName) {
  std::string name;
  while (name.size() + 3 <= 255) name += "\xe2\x82\xac";  // A character of three bytes.
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(Replace(Path(name), "new").ok());
  EXPECT_EQ(Names(), std::vector<std::string>{name});
}

TEST_F(AtomicFileTest, KeepsItsTargetWhenTheWorkingDirectoryChanges) {
  const fs::path before = fs::current_path();
  fs::create_directory(Path("other"));
  fs::current_path(folder_.path());
  auto file = AtomicFile::Create("file");
  fs::current_path(Path("other"));
  ASSERT_TRUE(file.ok() && file->Commit().ok());
  fs::current_path(before);
  EXPECT_TRUE(fs::exists(Path("file")));
}

TEST_F(AtomicFileTest, RemovesTemporaryFilesOfTheDead) {
  Make("file.thimble-0123abcd.tmp");
  Make("file.thimble-0123abc.tmp");    // Not eight letters.
  Make("file2.thimble-0123abcd.tmp");  // Another file's.
  auto file = AtomicFile::Create(Path("file"));
  ASSERT_TRUE(file.ok());
  EXPECT_FALSE(fs::exists(Path("file.thimble-0123abcd.tmp")));
  EXPECT_TRUE(fs::exists(Path("file.thimble-0123abc.tmp")));
  EXPECT_TRUE(fs::exists(Path("file2.thimble-0123abcd.tmp")));
}

TEST_F(AtomicFileTest, WritesToAFullPipeThatDoesNotBlock) {
  struct Reader {
    int file;
    std::size_t bytes = 0;
    static void* Run(void* self) {
      auto& reader = *static_cast<Reader*>(self);
      std::vector<char> buffer(1000);
      for (ssize_t count; (count = read(reader.file, buffer.data(), buffer.size())) > 0;) {
        reader.bytes += static_cast<std::size_t>(count);
      }
      return nullptr;
    }
  };
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  Reader reader = {ends[0]};
  Thread thread;
  ASSERT_TRUE(thread.Start(Reader::Run, &reader).ok());
  const std::vector<std::byte> bytes(std::size_t{4} << 20);
  EXPECT_TRUE(WriteAll(ends[1], bytes, "a pipe").ok());
  close(ends[1]);
  thread.Join();
  close(ends[0]);
  EXPECT_EQ(reader.bytes, bytes.size());
}

TEST_F(AtomicFileTest, IdentityIsTheSameThroughLinks) {
  const std::string path = Make("file"), other = Make("other");
  fs::create_symlink("file", Path("symbolic"));
  fs::create_hard_link(path, Path("hard"));
  ASSERT_TRUE(IdentityOf(path).has_value());
  EXPECT_EQ(IdentityOf(path), IdentityOf(Path("symbolic")));
  EXPECT_EQ(IdentityOf(path), IdentityOf(Path("hard")));
  EXPECT_NE(IdentityOf(path), IdentityOf(other));
  EXPECT_FALSE(IdentityOf(Path("missing")).has_value());
  EXPECT_FALSE(IdentityOf(folder_.path()).has_value());
  EXPECT_FALSE(IdentityOf("/dev/null").has_value());
  const std::array inputs = {InputFileAt("/dev/null"), InputFileAt(Path("missing")), InputFileAt(path)};
  EXPECT_TRUE(CheckOutput("out", IdentityOf(other), inputs).ok());
  EXPECT_TRUE(CheckOutput("out", IdentityOf("/dev/null"), inputs).ok());
  const Status refused = CheckOutput("out", IdentityOf(Path("hard")), inputs);
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_NE(refused.message().find("out"), std::string::npos);
  EXPECT_NE(refused.message().find(path), std::string::npos);
}

TEST_F(AtomicFileTest, LeftoversAreRemovedWithTheirFolders) {
  fs::create_directories(Path("a/b"));
  const Leftover outer(Path("a")), inner(Path("a/b"));
  Leftover kept(Make("kept"));
  const Leftover moved = std::move(kept);
  const Leftover file(Make("a/b/file"));
  {
    const Leftover over(Make("over"));
  }
  Leftover replaced(Make("before"));
  replaced = Leftover(Make("after"));
  fs::create_directory(Path("full"));
  Make("full/file");
  const Leftover full(Path("full"));
  const pid_t child = fork();  // As what is removed must not be used again.
  if (child == 0) {
    RemoveLeftovers();
    RemoveLeftovers();  // Twice, as two signals would.
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(Names(), (std::vector<std::string>{"before", "full", "over"}));
}

}  // namespace
}  // namespace thimble::base
