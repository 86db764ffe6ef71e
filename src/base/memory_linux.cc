// The memory of processes on Linux, from /proc and the control groups.

#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "base/control_groups.h"
#include "base/error.h"
#include "base/guard.h"
#include "base/memory_limit.h"
#include "base/proc_file.h"
#include "thimble/memory.h"

namespace thimble::inline v0_1 {
namespace {

// Values from here on mean "no limit" in version 1 control groups.
constexpr double kUnlimited = 0x1p60;

// The number in the file, or no limit when there is none ("max", or no such file).
std::size_t ReadLimit(const std::string& path) {
  ProcFile file(path.c_str());
  std::optional<double> value = file.Number("");
  return value && *value >= 0 && *value < kUnlimited ? static_cast<std::size_t>(*value) : kNoMemoryLimit;
}

}  // namespace

std::size_t CgroupMemoryLimit(const std::string& root) {
  std::size_t limit = kNoMemoryLimit;
  for (const ControlGroup& group : ControlGroupsOf("memory", root)) {
    limit = std::min(limit, ReadLimit(group.folder + (group.version == 2 ? "/memory.max" : "/memory.limit_in_bytes")));
  }
  return limit;
}

std::size_t MemoryLimit() {
  std::size_t limit = kNoMemoryLimit;
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) limit = static_cast<std::size_t>(pages) * static_cast<std::size_t>(page);
  auto group = Guarded([]() -> Result<std::size_t> { return CgroupMemoryLimit(""); });
  if (group.ok()) limit = std::min(limit, *group);
  return limit == kNoMemoryLimit ? 0 : limit;
}

Result<ProcessMemory> MeasureMemory(int process) {
  return Guarded([&]() -> Result<ProcessMemory> {
    char folder[32] = "/proc/self";
    if (process != 0) std::snprintf(folder, sizeof folder, "/proc/%d", process);
    const std::string name(folder);
    ProcFile rollup((name + "/smaps_rollup").c_str());
    if (rollup.error() != 0) return SystemError(rollup.error(), "cannot read", name + "/smaps_rollup");
    ProcFile status((name + "/status").c_str());
    if (status.error() != 0) return SystemError(status.error(), "cannot read", name + "/status");
    auto bytes = [](const ProcFile& file, std::string_view key) {
      return static_cast<std::size_t>(file.Number(key).value_or(0) * 1024);
    };
    return ProcessMemory{.rss_bytes = bytes(rollup, "\nRss:"),
                         .pss_bytes = bytes(rollup, "\nPss:"),
                         .private_bytes = bytes(rollup, "\nAnonymous:"),
                         .peak_rss_bytes = bytes(status, "\nVmHWM:"),
                         .data_bytes = bytes(status, "\nVmData:")};
  });
}

}  // namespace thimble::inline v0_1
