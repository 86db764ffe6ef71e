// Unit tests of src/base.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "base/arena.h"
#include "base/atomic_file.h"
#include "base/checked.h"
#include "base/error.h"
#include "base/file_map.h"
#include "base/proc_file.h"
#include "base/steps.h"
#include "base/thread.h"
#include "base/thread_team.h"
#include "tests/support/files.h"

namespace thimble::base {
namespace {

constexpr std::uint64_t kLargest = std::numeric_limits<std::uint64_t>::max();

TEST(Checked, ReportsOverflow) {
  EXPECT_EQ(CheckedMul(1ull << 32, (1ull << 32) - 1), kLargest - 0xffffffffull);
  EXPECT_FALSE(CheckedMul(1ull << 32, 1ull << 32));
  EXPECT_EQ(CheckedAdd(kLargest, 0), kLargest);
  EXPECT_FALSE(CheckedAdd(kLargest, 1));
  const std::vector<std::uint64_t> fits = {3, 5, 7}, overflows = {1ull << 40, 1ull << 40, 0};
  EXPECT_EQ(CheckedProduct(fits), 105u);
  EXPECT_EQ(CheckedProduct({}), 1u);
  EXPECT_FALSE(CheckedProduct(overflows));
}

TEST(Error, JoinsTextAndNumbers) {
  Status status = Error(Code::kCorrupt, "needs ", 12u, " bytes, has ", -3);
  EXPECT_EQ(status.code(), Code::kCorrupt);
  EXPECT_EQ(status.message(), "needs 12 bytes, has -3");
  EXPECT_EQ(CodeName(Code::kCorrupt), "corrupt");
}

TEST(Error, KeepsWhatTheSystemSays) {
  EXPECT_EQ(SystemError(ENOENT, "cannot open", "x").code(), Code::kNotFound);
  EXPECT_EQ(SystemError(ENOMEM, "cannot map", "x").code(), Code::kOutOfMemory);
  EXPECT_EQ(SystemError(EACCES, "cannot open", "x").message(), "cannot open x: Permission denied");
}

class FileMapTest : public testing::Test {
 protected:
  const test::TemporaryFolder temporary_;
  const std::string& folder_ = temporary_.path();
};

TEST_F(FileMapTest, MapsTheWholeFile) {
  std::ofstream(folder_ + "/file") << "contents";
  auto map = FileMap::Open(folder_ + "/file");
  ASSERT_TRUE(map.ok()) << map.status().message();
  FileMap moved = *std::move(map);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(moved.bytes().data()), moved.bytes().size()), "contents");
}

TEST_F(FileMapTest, RefusesWhatIsNotAFileWithContents) {
  std::ofstream(folder_ + "/empty");
  ASSERT_EQ(mkfifo((folder_ + "/fifo").c_str(), 0600), 0);
  EXPECT_EQ(FileMap::Open(folder_ + "/missing").status().code(), Code::kNotFound);
  EXPECT_EQ(FileMap::Open(folder_ + "/empty").status().code(), Code::kCorrupt);
  EXPECT_EQ(FileMap::Open(folder_).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(FileMap::Open(folder_ + "/fifo").status().code(), Code::kInvalidArgument);
}

TEST_F(FileMapTest, AtomicFileHasTheModeThatTheUmaskLeaves) {
  for (mode_t mask : {022u, 077u, 002u}) {
    const mode_t before = umask(mask);
    const std::string path = folder_ + "/model" + std::to_string(mask);
    auto file = AtomicFile::Create(path);
    ASSERT_TRUE(file.ok()) << file.status().message();
    ASSERT_TRUE(file->Commit().ok());
    umask(before);
    struct stat found = {};
    ASSERT_EQ(stat(path.c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0666 & ~mask);
  }
}

TEST_F(FileMapTest, AtomicFileLeavesTheUmaskOfOtherThreadsAlone) {
  struct Maker {
    std::string path;
    std::atomic<bool> stop = false;
    int made = 0, open_to_others = 0;
    static void* Run(void* self) {
      auto& maker = *static_cast<Maker*>(self);
      while (!maker.stop) {
        const int file = open(maker.path.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
        struct stat found = {};
        maker.made += fstat(file, &found) == 0;
        maker.open_to_others += (found.st_mode & 077) != 0;
        close(file);
        unlink(maker.path.c_str());
      }
      return nullptr;
    }
  };
  Maker maker;
  maker.path = folder_ + "/secret";
  const mode_t before = umask(077);
  Thread thread;
  ASSERT_TRUE(thread.Start(Maker::Run, &maker).ok());
  for (int i = 0; i < 5000; ++i) ASSERT_TRUE(AtomicFile::Create(folder_ + "/model").ok());
  maker.stop = true;
  thread.Join();
  umask(before);
  EXPECT_GT(maker.made, 0);
  EXPECT_EQ(maker.open_to_others, 0);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 0);  // Nothing is left behind.
}

TEST(Arena, CountsWhatItHandsOut) {
  auto take = [](Arena& arena) {
    std::vector<void*> pieces = {arena.Take<float>(5), arena.Take<char>(1000)};
    std::size_t used = arena.used();
    pieces.push_back(arena.Take<int>(3));
    arena.Rewind(used);
    pieces.push_back(arena.Take<int>(7));
    return pieces;
  };
  Arena measure;
  EXPECT_EQ(take(measure), std::vector<void*>(4, nullptr));
  auto mapping = Mapping::Create(measure.used());
  ASSERT_TRUE(mapping.ok());
  Arena arena(mapping->bytes());
  std::vector<void*> pieces = take(arena);
  EXPECT_EQ(arena.used(), measure.used());
  EXPECT_EQ(pieces[2], pieces[3]);
  for (void* piece : pieces) {
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(piece) % 64, 0u);
    EXPECT_GE(piece, mapping->bytes().data());
  }
}

TEST(Mapping, RefusalIsAStatus) {
  EXPECT_EQ(Mapping::Create(std::numeric_limits<std::size_t>::max() / 2).status().code(), Code::kOutOfMemory);
}

TEST(Mapping, ReleasedPagesReadAsZerosAndCanBeUsedAgain) {
  auto mapping = Mapping::Create(1 << 20);
  ASSERT_TRUE(mapping.ok());
  mapping->bytes()[5] = std::byte{7};
  mapping->Release();
  EXPECT_EQ(mapping->bytes()[5], std::byte{0});
  mapping->bytes()[5] = std::byte{8};
  EXPECT_EQ(mapping->bytes()[5], std::byte{8});
  Mapping().Release();
}

TEST_F(FileMapTest, ProcFileReadsNumbersBehindKeys) {
  std::ofstream(folder_ + "/numbers") << "first: 12 kB\nsecond=0.5 third: x\n";
  ProcFile file((folder_ + "/numbers").c_str());
  EXPECT_EQ(file.error(), 0);
  EXPECT_EQ(file.Number("first:"), 12);
  EXPECT_EQ(file.Number("second="), 0.5);
  EXPECT_EQ(file.Number("third:"), std::nullopt);
  EXPECT_EQ(file.Number("fourth:"), std::nullopt);
  EXPECT_EQ(ProcFile((folder_ + "/missing").c_str()).error(), ENOENT);
}

TEST(ThreadTeam, NoMemberRunsAJobTwiceOrWhenItIsOver) {
  for (std::size_t size : {1, 2, 5}) {
    ThreadTeam team = ThreadTeam::Create(size);
    ThreadTeam moved = std::move(team);
    EXPECT_EQ(moved.size(), size);
    std::vector<int> last(size, -1);  // Each member writes its own: no lock needed.
    int now = 0;
    for (int job = 0; job < 5000; ++job) {
      now = job;  // A member that came later than allowed would race with this.
      moved.Run([&](std::size_t member) {
        EXPECT_LT(last[member], job);
        EXPECT_EQ(now, job);
        last[member] = job;
      });
      ASSERT_EQ(last[0], job);
    }
  }
}

TEST(Steps, EachBeginsWhenTheOneBeforeHasEnded) {
  ThreadTeam team = ThreadTeam::Create(4);
  constexpr std::size_t kSteps = 300;
  auto parts = [](std::size_t step) { return 1 + step % 7; };
  for (int round = 0; round < 20; ++round) {
    std::vector<std::vector<int>> done(kSteps);
    for (std::size_t step = 0; step < kSteps; ++step) done[step].resize(parts(step));
    Steps steps(kSteps);
    std::atomic<int> early = 0;
    team.Run([&](std::size_t) {
      steps.Run(parts, [&](std::size_t step, std::size_t part) {
        if (step > 0) early += done[step - 1] != std::vector<int>(parts(step - 1), 1);
        ++done[step][part];
      });
    });
    EXPECT_EQ(early, 0);
    for (std::size_t step = 0; step < kSteps; ++step) EXPECT_EQ(done[step], std::vector<int>(parts(step), 1)) << step;
  }
}

TEST(ThreadTeam, MembersWorkAtTheSameTime) {
  ThreadTeam team = ThreadTeam::Create(3);
  std::atomic<int> arrived = 0;
  team.Run([&](std::size_t) {
    ++arrived;
    while (arrived < 3) {  // Would never end if members ran one after the other.
    }
  });
  EXPECT_EQ(arrived, 3);
}

}  // namespace
}  // namespace thimble::base
