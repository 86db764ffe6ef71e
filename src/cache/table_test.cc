// What a table of an exact cache promises: the right bits or nothing, whatever happens to its file and its processes.

#include "cache/table.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "base/sha256.h"
#include "tests/support/child.h"
#include "tests/support/test_model.h"

namespace thimble::cache {
namespace {

using test::ExitCodeOfChild;
using test::TemporaryFolder;

constexpr std::size_t kDimensions = 384;
constexpr std::uint64_t kBytes = 1 << 20;
constexpr std::size_t kFirstRecord = 4096;

Key KeyOf(std::uint64_t number) {
  base::Sha256 hash;
  hash.Update(std::as_bytes(std::span(&number, 1)));
  return hash.Digest();
}

// What belongs to a number.
std::vector<float> VectorOf(std::uint64_t number, std::size_t dimensions = kDimensions) {
  std::mt19937_64 random(number);
  std::vector<float> vector(dimensions);
  for (float& value : vector) value = static_cast<float>(random() % 20001) / 10000 - 1;
  return vector;
}

bool SameBits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// Whether the number's vector is there. A wrong one fails the test.
bool Has(Table& table, std::uint64_t number, std::size_t dimensions = kDimensions) {
  std::vector<float> found(dimensions);
  if (!table.Get(KeyOf(number), found)) return false;
  EXPECT_TRUE(SameBits(found, VectorOf(number, dimensions))) << number;
  return true;
}

void Write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

class TableTest : public testing::Test {
 protected:
  std::unique_ptr<Table> Open(std::uint64_t bytes = kBytes) {
    auto table = Table::Open(path_, bytes);
    EXPECT_TRUE(table.ok()) << table.status().message();
    return *std::move(table);
  }
  Status Refusal(std::uint64_t bytes = 0) { return Table::Open(path_, bytes).status(); }

  TemporaryFolder folder_;
  std::string path_ = folder_.File("vectors.cache");
};

TEST_F(TableTest, KeepsVectorsOfSeveralLengthsWithTheirBits) {
  for (int pass = 0; pass < 2; ++pass) {
    auto table = Open();
    for (std::uint64_t i = 0; i < 30; ++i) {
      for (const std::size_t dimensions : {1, 384, 1024}) {
        const std::uint64_t number = 10'000 * dimensions + i;
        if (pass == 0) {
          EXPECT_FALSE(Has(*table, number, dimensions));
          table->Put(KeyOf(number), VectorOf(number, dimensions));
        }
      }
    }
    std::uint64_t found = 0;
    for (std::uint64_t i = 0; i < 30; ++i) found += Has(*table, 3'840'000 + i);
    EXPECT_GT(found, 20u) << "Vectors of other lengths may lie across some of them.";
    EXPECT_EQ(table->stats().hits, found);
    EXPECT_EQ(table->stats().writes, pass == 0 ? 90u : 0u);
  }
  EXPECT_EQ(Open(0)->max_bytes(), kBytes);
}

TEST_F(TableTest, NeverExceedsItsQuotaAndKeepsWhatIsUsed) {
  auto table = Open();
  const std::uint64_t most = kBytes / (64 + kDimensions * sizeof(float));
  const std::uint64_t favourites = most / 4;
  for (std::uint64_t i = 0; i < favourites; ++i) table->Put(KeyOf(i), VectorOf(i));
  std::uint64_t kept = 0;
  for (std::uint64_t i = 1'000'000; i < 1'000'000 + 4 * most; ++i) {
    table->Put(KeyOf(i), VectorOf(i));
    // Each is used once while as many new ones come as have room.
    const std::uint64_t favourite = i % most;
    if (favourite < favourites && !Has(*table, favourite)) table->Put(KeyOf(favourite), VectorOf(favourite));
  }
  for (std::uint64_t i = 0; i < favourites; ++i) kept += Has(*table, i);
  EXPECT_GT(kept, favourites / 2) << "The least recently used would keep none of them.";
  std::uint64_t found = kept;
  for (std::uint64_t i = 1'000'000; i < 1'000'000 + 4 * most; ++i) found += Has(*table, i);
  EXPECT_GT(found, most * 9 / 10) << "The quota is used.";
  EXPECT_LE(found, most);
  struct stat status = {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(static_cast<std::uint64_t>(status.st_size), kBytes);
  EXPECT_LE(static_cast<std::uint64_t>(status.st_blocks) * 512, kBytes + 65536);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(TableTest, RefusesEveryFlippedBitOfItsHeaderAndOtherFiles) {
  Open()->Put(KeyOf(1), VectorOf(1));
  const std::string good = test::ReadFile(path_);
  for (std::size_t i = 0; i < 64; ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      const auto place = static_cast<std::streamoff>(i);
      const char bad = static_cast<char>(good[i] ^ (1 << bit));
      std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
      file.seekp(place).put(bad).flush();
      ASSERT_FALSE(Refusal().ok()) << "byte " << i;
      ASSERT_EQ(file.seekg(place).get(), static_cast<unsigned char>(bad)) << "A file that is refused stays as it is.";
      file.seekp(place).put(good[i]);
    }
  }
  EXPECT_EQ(test::ReadFile(path_), good);
  std::string later = good;
  later[16] = 2;
  Write(path_, later);
  EXPECT_EQ(Refusal().code(), Code::kUnsupported);
  EXPECT_NE(Refusal().message().find("a cache of format 2, expected 1"), std::string::npos) << Refusal().message();
  Write(path_, "a text of the user");
  EXPECT_EQ(Refusal().code(), Code::kInvalidArgument);
  EXPECT_EQ(test::ReadFile(path_), "a text of the user");
  Write(path_, good + "more");
  EXPECT_EQ(Refusal().code(), Code::kCorrupt);
  EXPECT_EQ(Table::Open(folder_.path(), 0).ok(), false);
  EXPECT_EQ(Table::Open("", 0).status().code(), Code::kInvalidArgument);
  Write(path_, good);
  EXPECT_EQ(Refusal(2 * kBytes).code(), Code::kInvalidArgument);
  EXPECT_EQ(Refusal(kBytes - 1).code(), Code::kInvalidArgument);
  EXPECT_TRUE(Has(*Open(), 1));
}

TEST_F(TableTest, ADamagedRecordIsNotThereAndIsWrittenAnew) {
  const Key key = KeyOf(1);
  Open()->Put(key, VectorOf(1));
  const std::string good = test::ReadFile(path_);
  const std::size_t begin = good.find(reinterpret_cast<const char*>(key.data()), 0, key.size());
  ASSERT_NE(begin, std::string::npos);
  for (std::size_t i = 0; i < 64 + kDimensions * sizeof(float); i += i < 64 ? 1 : 37) {
    std::string bad = good;
    bad[begin + i] = static_cast<char>(bad[begin + i] ^ 16);
    Write(path_, bad);
    auto table = Open();
    EXPECT_EQ(Has(*table, 1), i >= 56 && i < 64) << "byte " << i << "; only the last eight of a header decide nothing";
    table->Put(key, VectorOf(1));
    EXPECT_TRUE(Has(*table, 1));
  }
}

TEST_F(TableTest, ATruncatedFileHasWhatIsLeft) {
  {
    auto table = Open();
    for (std::uint64_t i = 0; i < 400; ++i) table->Put(KeyOf(i), VectorOf(i));
  }
  const std::string good = test::ReadFile(path_);
  for (const std::size_t size : {std::size_t{1}, std::size_t{63}}) {
    Write(path_, good.substr(0, size));
    EXPECT_EQ(Refusal().code(), size == 1 ? Code::kInvalidArgument : Code::kCorrupt) << size;
  }
  std::uint64_t before = 0;
  for (const std::size_t size : {std::size_t{64}, kFirstRecord + 100, good.size() / 2, good.size() - 1}) {
    Write(path_, good.substr(0, size));
    auto table = Open();
    std::uint64_t found = 0;
    for (std::uint64_t i = 0; i < 400; ++i) found += Has(*table, i);
    EXPECT_GE(found, before);
    before = found;
    EXPECT_EQ(test::ReadFile(path_).size(), kBytes);
  }
  EXPECT_GT(before, 300u);
  // While it is open, too.
  auto table = Open();
  ASSERT_EQ(truncate(path_.c_str(), 100), 0);
  for (std::uint64_t i = 0; i < 400; ++i) EXPECT_FALSE(Has(*table, i));
}

// Work on a few keys, more than have room, until it is killed. Ends with 1 at a wrong vector.
int WorkForEver(const std::string& path, std::uint64_t seed) {
  auto table = Table::Open(path, kBytes);
  if (!table.ok()) return 2;
  std::mt19937_64 random(seed);
  std::vector<float> found;
  for (;;) {
    const std::uint64_t number = random() % 3000;
    const std::size_t dimensions = number % 10 == 0 ? 128 : kDimensions;
    found.resize(dimensions);
    if ((*table)->Get(KeyOf(number), found)) {
      if (!SameBits(found, VectorOf(number, dimensions))) return 1;
    } else {
      (*table)->Put(KeyOf(number), VectorOf(number, dimensions));
    }
  }
}

TEST_F(TableTest, ProcessesThatWriteAtOnceAndAreKilledLeaveNothingWrong) {
  std::mt19937 random(3);
  for (int round = 0; round < 20; ++round) {
    std::vector<pid_t> children;
    for (std::uint64_t i = 0; i < 3; ++i) {
      const pid_t child = fork();
      if (child == 0) _exit(WorkForEver(path_, 10 * static_cast<std::uint64_t>(round) + i));
      children.push_back(child);
    }
    for (const pid_t child : children) {
      const timespec pause = {.tv_sec = 0, .tv_nsec = static_cast<long>(random() % 30'000'000)};
      nanosleep(&pause, nullptr);
      kill(child, SIGKILL);
      int status = 0;
      waitpid(child, &status, 0);
      ASSERT_TRUE(WIFSIGNALED(status)) << "It ended with " << WEXITSTATUS(status);
    }
    auto table = Open();
    for (std::uint64_t i = 0; i < 3000; ++i) Has(*table, i, i % 10 == 0 ? 128 : kDimensions);
  }
  auto table = Open();
  for (std::uint64_t i = 0; i < 3000; ++i) Has(*table, i, i % 10 == 0 ? 128 : kDimensions);
  EXPECT_GT(table->stats().hits, 300u);
}

TEST_F(TableTest, AChildOfAForkUsesTheOpenFile) {
  auto table = Open();
  table->Put(KeyOf(1), VectorOf(1));
  EXPECT_EQ(ExitCodeOfChild([&] {
              table->Put(KeyOf(2), VectorOf(2));
              return Has(*table, 1) ? 0 : 1;
            }),
            0);
  EXPECT_TRUE(Has(*table, 2));
}

TEST_F(TableTest, AFileThatMayOnlyBeReadServesAndOneThatCannotBeMadeIsAnError) {
  Open()->Put(KeyOf(1), VectorOf(1));
  ASSERT_EQ(chmod(path_.c_str(), 0444), 0);
  ASSERT_EQ(chmod(folder_.path().c_str(), 0555), 0);
  EXPECT_EQ(ExitCodeOfChild([&] {
              constexpr uid_t kNobody = 65534;
              if (geteuid() == 0 && seteuid(kNobody) != 0) return 1;
              auto table = Table::Open(path_, 0);
              if (!table.ok()) return 2;
              (*table)->Put(KeyOf(2), VectorOf(2));
              if (!Has(**table, 1) || Has(**table, 2) || (*table)->stats().writes != 0) return 3;
              return Table::Open(folder_.File("other.cache"), 0).status().code() == Code::kIo ? 0 : 4;
            }),
            0);
  ASSERT_EQ(chmod(folder_.path().c_str(), 0755), 0);
}

TEST_F(TableTest, AFullDiskKeepsWhatIsThere) {
  auto table = Open();
  table->Put(KeyOf(1), VectorOf(1));
  EXPECT_EQ(ExitCodeOfChild([&] {
              signal(SIGXFSZ, SIG_IGN);
              const rlimit none = {.rlim_cur = 64, .rlim_max = 64};
              if (setrlimit(RLIMIT_FSIZE, &none) != 0) return 1;
              table->Put(KeyOf(2), VectorOf(2));  // Writes fail as on a full disk.
              if (!Has(*table, 1) || Has(*table, 2) || table->stats().writes != 1) return 2;
              return Table::Open(path_, 0).status().code() == Code::kIo ? 0 : 3;
            }),
            0);
}

}  // namespace
}  // namespace thimble::cache
