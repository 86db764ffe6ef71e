// Unit tests of what control groups allow, against folders that stand for a machine, and one against the machine.

#include "base/control_groups.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/processors.h"
#include "tests/support/files.h"
#include "thimble/memory.h"

namespace thimble::base {
namespace {

namespace fs = std::filesystem;

// How control groups are mounted on most machines today, and how they were before.
constexpr char kVersion2[] =
    "22 27 0:21 / /proc rw,relatime - proc proc rw\n"
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
constexpr char kVersion1[] =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";

class ControlGroups : public testing::Test {
 protected:
  void Write(const std::string& path, const std::string& contents) const {
    EXPECT_TRUE(test::WriteFile(root_ + path, contents).ok());
  }
  // The machine tells this process these groups and mounts.
  void Place(const std::string& groups, const std::string& mounts) const {
    Write("/proc/self/cgroup", groups);
    Write("/proc/self/mountinfo", mounts);
  }
  std::size_t Processors() const { return CgroupProcessors(root_); }
  std::size_t Memory() const { return CgroupMemoryLimit(root_); }
  std::vector<std::string> Folders(std::string_view controller) const {
    std::vector<std::string> folders;
    for (const ControlGroup& group : ControlGroupsOf(controller, root_)) {
      folders.push_back(group.folder.substr(root_.size()));
    }
    return folders;
  }

  const test::TemporaryFolder folder_;
  const std::string& root_ = folder_.path();
};

using Strings = std::vector<std::string>;

TEST_F(ControlGroups, WithoutAnyThereIsNoLimit) {
  EXPECT_EQ(Processors(), kNoQuota);
  EXPECT_EQ(Memory(), kNoMemoryLimit);
  Place("0::/a\n", "");
  EXPECT_EQ(Processors(), kNoQuota);
  Place("", kVersion2);
  EXPECT_EQ(Processors(), kNoQuota);
}

TEST_F(ControlGroups, OfVersion2BoundByTheLeastOnTheWayUp) {
  Place("0::/outer/inner\n", kVersion2);
  EXPECT_EQ(Folders("cpu"), (Strings{"/sys/fs/cgroup/outer/inner", "/sys/fs/cgroup/outer", "/sys/fs/cgroup"}));
  Write("/sys/fs/cgroup/outer/inner/cpu.max", "max 100000\n");
  Write("/sys/fs/cgroup/outer/inner/memory.max", "max\n");
  EXPECT_EQ(Processors(), kNoQuota);
  EXPECT_EQ(Memory(), kNoMemoryLimit);
  Write("/sys/fs/cgroup/outer/cpu.max", "350000 100000\n");
  Write("/sys/fs/cgroup/outer/memory.max", "50000000\n");
  EXPECT_EQ(Processors(), 4u);
  EXPECT_EQ(Memory(), 50000000u);
  Write("/sys/fs/cgroup/outer/inner/cpu.max", "150000 100000\n");
  Write("/sys/fs/cgroup/outer/inner/memory.max", "30000000\n");
  EXPECT_EQ(Processors(), 2u);
  EXPECT_EQ(Memory(), 30000000u);
}

TEST_F(ControlGroups, OfVersion1BoundByTheLeastOnTheWayUp) {
  Place("5:cpu,cpuacct:/job\n4:memory:/job\n3:cpuset:/other\n0::/\n", kVersion1);
  EXPECT_EQ(Folders("cpu"), (Strings{"/sys/fs/cgroup/cpu,cpuacct/job", "/sys/fs/cgroup/cpu,cpuacct"}));
  Write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
  Write("/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
  Write("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(Processors(), kNoQuota);
  EXPECT_EQ(Memory(), kNoMemoryLimit);
  Write("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us", "20000\n");
  EXPECT_EQ(Processors(), kNoQuota);
  Write("/sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us", "10000\n");
  Write("/sys/fs/cgroup/memory/job/memory.limit_in_bytes", "20000000\n");
  EXPECT_EQ(Processors(), 2u);
  EXPECT_EQ(Memory(), 20000000u);
}

TEST_F(ControlGroups, OfBothVersionsCountTogether) {
  Place("1:cpu:/\n0::/a\n",
        "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
        "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");
  Write("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(Processors(), 3u);
  Write("/sys/fs/cgroup/unified/a/cpu.max", "100000 100000\n");
  EXPECT_EQ(Processors(), 1u);
}

TEST_F(ControlGroups, OfAContainerAreBelowTheGroupThatIsMountedThere) {
  Place("5:cpu:/docker/abc/worker\n", "32 31 0:29 /docker/abc /sys/fs/cgroup/cpu ro - cgroup cgroup rw,cpu\n");
  EXPECT_EQ(Folders("cpu"), (Strings{"/sys/fs/cgroup/cpu/worker", "/sys/fs/cgroup/cpu"}));
  // The mounts of other groups do not count, nor does a name that only begins alike.
  Place("0::/docker/abc\n",
        "32 31 0:29 /docker/abcd /one rw - cgroup2 cgroup2 rw\n"
        "33 31 0:29 /docker/abc/below /two rw - cgroup2 cgroup2 rw\n"
        "34 31 0:29 /other /three rw - cgroup2 cgroup2 rw\n"
        "35 31 0:29 /docker/abc /with\\040a\\134space rw - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(Folders("cpu"), (Strings{"/with a\\space"}));
  // A mount from around the namespace, and a process that is outside of its own.
  Place("0::/\n", "32 31 0:29 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
  EXPECT_EQ(Folders("cpu"), (Strings{"/sys/fs/cgroup"}));
  Place("0::/../other\n", kVersion2);
  EXPECT_EQ(Folders("cpu"), Strings());
}

TEST_F(ControlGroups, RoundUpToWholeProcessors) {
  Place("0::/\n", kVersion2);
  auto processors = [&](const std::string& max) {
    Write("/sys/fs/cgroup/cpu.max", max);
    return Processors();
  };
  EXPECT_EQ(processors("1000 100000\n"), 1u);
  EXPECT_EQ(processors("100000 100000\n"), 1u);
  EXPECT_EQ(processors("100001 100000\n"), 2u);
  EXPECT_EQ(processors("150000 100000\n"), 2u);
  EXPECT_EQ(processors("6400000 100000\n"), 64u);
}

TEST_F(ControlGroups, WithOddFilesSetNoLimit) {
  Place("0::/\n1:cpu,memory:/\n", std::string(kVersion2) + "1 1 0:1 / /one rw - cgroup cgroup rw,cpu,memory\n");
  for (const char* text : {"", "\n", " ", "max", "max max\n", "-1 100000\n", "0 100000\n", "100000 0\n", "100000\n",
                           "100000 -5\n", "nan nan\n", "inf inf\n", "inf 1\n", "1e308 1e-308\n", "1e-308 1e308\n",
                           "99999999999999999999 1\n", "x y\n", "1;2\n", "\xff\xfe\n"}) {
    Write("/sys/fs/cgroup/cpu.max", text);
    EXPECT_EQ(Processors(), kNoQuota) << text;
  }
  for (const char* text : {"", "-1\n", "nan\n", "inf\n", "max\n", "99999999999999999999999999\n", "x\n"}) {
    Write("/sys/fs/cgroup/memory.max", text);
    Write("/one/memory.limit_in_bytes", text);
    Write("/one/cpu.cfs_quota_us", text);
    Write("/one/cpu.cfs_period_us", "0\n");
    EXPECT_EQ(Memory(), kNoMemoryLimit) << text;
    EXPECT_EQ(Processors(), kNoQuota) << text;
  }
}

TEST_F(ControlGroups, OddTablesAreReadAsFarAsTheyMakeSense) {
  Write("/sys/fs/cgroup/a/cpu.max", "100000 100000\n");
  const std::string odd = "\n-\n - \n - cgroup2\n1 2 3\n1 2 3 / / rw - \n1 2 3 / \\04 rw - cgroup cgroup\n" +
                          std::string(10000, 'x') + "\n";
  Place(":\n::\n\n5\n5:cpu\nx:,,cpu,:relative\n" + std::string(5000, ':') + "\n0::/a\n", odd + kVersion2);
  EXPECT_EQ(Processors(), 1u);
  // The end of the file may lack its own.
  Place("0::/a", "1 2 3 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw");
  EXPECT_EQ(Processors(), 1u);
  // Beyond the first 4 KiB, behind a line that is longer than any of the kernel's.
  std::string many;
  for (int i = 0; i < 1000; ++i) many += "40 27 0:40 / /mnt/" + std::to_string(i) + " rw - tmpfs tmpfs rw\n";
  Place("0::/a\n", many + kVersion2);
  EXPECT_EQ(Processors(), 1u);
  // Folders where files should be.
  fs::remove_all(root_ + "/proc/self/mountinfo");
  fs::create_directories(root_ + "/proc/self/mountinfo");
  EXPECT_EQ(Processors(), kNoQuota);
}

constexpr std::size_t kMost = 100;  // What an exit status can tell.

// What UsableProcessors() says in a process that is in the group of `folder`, up to kMost; 0 when it cannot enter.
std::size_t ProcessorsIn(const std::string& folder) {
  const pid_t child = fork();
  if (child == 0) {
    std::ofstream procs(folder + "/cgroup.procs");
    procs << getpid() << std::flush;
    _exit(procs ? static_cast<int>(std::min(UsableProcessors(), kMost)) : 0);
  }
  int status = 0;
  return waitpid(child, &status, 0) == child && WIFEXITED(status) ? static_cast<std::size_t>(WEXITSTATUS(status)) : 0;
}

bool Put(const std::string& path, const std::string& contents) {
  return static_cast<bool>(std::ofstream(path) << contents << std::flush);
}

TEST(UsableProcessors, AreThoseOfTheAffinityAndTheQuota) {
  EXPECT_GE(UsableProcessors(), 1u);
  cpu_set_t before, one;
  ASSERT_EQ(sched_getaffinity(0, sizeof before, &before), 0);
  CPU_ZERO(&one);
  int first = 0;
  while (!CPU_ISSET(first, &before)) ++first;
  CPU_SET(first, &one);
  ASSERT_EQ(sched_setaffinity(0, sizeof one, &one), 0);
  EXPECT_EQ(UsableProcessors(), 1u);
  ASSERT_EQ(sched_setaffinity(0, sizeof before, &before), 0);
  EXPECT_LE(UsableProcessors(), static_cast<std::size_t>(CPU_COUNT(&before)));

  // A group of this machine, below that of this process.
  const std::vector<ControlGroup> groups = ControlGroupsOf("cpu", "");
  const auto group = std::find_if(groups.begin(), groups.end(), [](const ControlGroup& found) {
    return fs::exists(found.folder + (found.version == 2 ? "/cpu.max" : "/cpu.cfs_quota_us"));
  });
  if (group == groups.end()) GTEST_SKIP() << "no control group of this process has quotas";
  const std::string folder = group->folder + "/thimble-" + std::to_string(getpid());
  if (mkdir(folder.c_str(), 0700) != 0) GTEST_SKIP() << "no control group can be made here";
  auto quota = [&](const std::string& microseconds) {
    return group->version == 2 ? Put(folder + "/cpu.max", microseconds + " 100000")
                               : Put(folder + "/cpu.cfs_quota_us", microseconds);
  };
  const std::size_t all = std::min(UsableProcessors(), kMost);
  if (quota("50000") && ProcessorsIn(folder) != 0) {
    EXPECT_EQ(ProcessorsIn(folder), 1u);
    EXPECT_TRUE(quota("150000"));
    EXPECT_EQ(ProcessorsIn(folder), std::min<std::size_t>(all, 2));
    EXPECT_TRUE(quota("100000000"));
    EXPECT_EQ(ProcessorsIn(folder), all);
    rmdir(folder.c_str());
  } else {
    rmdir(folder.c_str());
    GTEST_SKIP() << "no process can enter a control group with a quota here";
  }
}

TEST(MemoryLimit, IsSomethingReal) { EXPECT_GT(MemoryLimit(), std::size_t{16} << 20); }

}  // namespace
}  // namespace thimble::base
