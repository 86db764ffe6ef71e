// Unit tests of the choice of performance cores, against folders that stand for a machine.

#include "base/processors.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <numeric>
#include <string>
#include <vector>

#include "tests/support/files.h"

namespace thimble::base {
namespace {

namespace fs = std::filesystem;

class PerformanceCores : public testing::Test {
 protected:
  void Write(const std::string& path, const std::string& contents) const {
    EXPECT_TRUE(test::WriteFile(root_ + path, contents).ok());
  }
  // An Intel processor with these cores.
  void PlaceIntel(const std::string& performance, const std::string& efficiency) const {
    Write("/sys/devices/cpu_core/cpus", performance);
    Write("/sys/devices/cpu_atom/cpus", efficiency);
  }
  // Processors with these capacities, from number 0.
  void PlaceCapacities(const std::vector<std::string>& capacities) const {
    for (std::size_t i = 0; i < capacities.size(); ++i) {
      Write("/sys/devices/system/cpu/cpu" + std::to_string(i) + "/cpu_capacity", capacities[i] + "\n");
    }
  }
  std::size_t Count(const std::vector<std::size_t>& allowed) const { return ProcessorsAmong(allowed, root_); }

  const test::TemporaryFolder folder_;
  const std::string& root_ = folder_.path();
};

// The numbers [first, last].
std::vector<std::size_t> Numbers(std::size_t first, std::size_t last) {
  std::vector<std::size_t> numbers(last - first + 1);
  std::iota(numbers.begin(), numbers.end(), first);
  return numbers;
}

TEST_F(PerformanceCores, AreAllWhereTheKernelReportsNoDifference) {
  EXPECT_EQ(Count(Numbers(0, 15)), 16u);
  PlaceCapacities({"1024", "1024", "1024", "1024"});
  EXPECT_EQ(Count(Numbers(0, 3)), 4u);
  EXPECT_EQ(Count({}), 1u);
}

TEST_F(PerformanceCores, OfIntelAreListedWithTheirSiblings) {
  PlaceIntel("0-11\n", "12-19\n");
  EXPECT_EQ(Count(Numbers(0, 19)), 12u);
  EXPECT_EQ(Count({0, 2, 12, 13}), 2u);
  PlaceIntel("0,2,10-13\n", "1,3-9\n");
  EXPECT_EQ(Count(Numbers(0, 13)), 6u);
  EXPECT_EQ(Count({1, 2, 3, 13}), 2u);
  // Capacities of a newer kernel change nothing.
  PlaceCapacities({"1024", "600", "1024", "600"});
  EXPECT_EQ(Count(Numbers(0, 3)), 2u);
}

TEST_F(PerformanceCores, OfIntelMayAllBeOutOfReach) {
  PlaceIntel("0-11\n", "12-19\n");
  EXPECT_EQ(Count(Numbers(12, 19)), 8u);
  EXPECT_EQ(Count({19}), 1u);
}

TEST_F(PerformanceCores, OfArmHaveMoreThanHalfTheCapacity) {
  PlaceCapacities({"397", "397", "397", "397", "1024", "1024", "1010", "1010"});
  EXPECT_EQ(Count(Numbers(0, 7)), 4u);
  EXPECT_EQ(Count({0, 1, 2, 4}), 1u);
  // Three kinds.
  PlaceCapacities({"325", "325", "325", "870", "870", "870", "870", "1024"});
  EXPECT_EQ(Count(Numbers(0, 7)), 5u);
}

TEST_F(PerformanceCores, OfArmMayAllBeOutOfReach) {
  PlaceCapacities({"397", "397", "397", "397", "1024", "1024", "1024", "1024"});
  EXPECT_EQ(Count(Numbers(0, 3)), 4u);
}

TEST_F(PerformanceCores, ShareAQuotaLikeOthers) {
  PlaceIntel("0-11\n", "12-19\n");
  Write("/proc/self/cgroup", "0::/\n");
  Write("/proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  Write("/sys/fs/cgroup/cpu.max", "350000 100000\n");
  EXPECT_EQ(Count(Numbers(0, 19)), 4u);
  EXPECT_EQ(Count({0, 1, 12, 13, 14}), 2u);
  EXPECT_EQ(Count(Numbers(12, 19)), 4u);
}

TEST_F(PerformanceCores, AreAllWhereFilesAreOdd) {
  for (const char* text : {"", "\n", "x\n", "-1\n", "3\n", "3-\n", "-\n", "4-5-6\n", "5-4\n", ",0\n", ";0\n",
                           "99999999999999999999-99999999999999999999\n", "0x\xff\n"}) {
    PlaceIntel(text, "");
    EXPECT_EQ(Count({1, 2}), 2u) << text;
  }
  fs::remove_all(root_ + "/sys/devices/cpu_core");
  for (const char* text : {"", "x", "-1024", "0", "nan", "-inf"}) {
    PlaceCapacities({"1024", text, "1024"});
    EXPECT_EQ(Count({0, 1, 2}), 3u) << text;
  }
  // One processor has no file.
  PlaceCapacities({"1024", "300"});
  EXPECT_EQ(Count({0, 1, 3}), 3u);
  EXPECT_EQ(Count({0, 1}), 1u);
}

}  // namespace
}  // namespace thimble::base
