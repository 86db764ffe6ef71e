// The memory and the processors of processes on Linux, from /proc, /sys and the control groups.

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <optional>
#include <string_view>
#include <vector>

#include "base/control_groups.h"
#include "base/error.h"
#include "base/guard.h"
#include "base/proc_file.h"
#include "base/processors.h"
#include "thimble/memory.h"

namespace thimble::base {
namespace {

// Values from here on mean "no limit" in version 1 control groups.
constexpr double kUnlimited = 0x1p60;

// The number in the file, or no limit when there is none ("max", or no such file).
std::size_t ReadLimit(const std::string& path) {
  ProcFile file(path.c_str());
  std::optional<double> value = file.Number("");
  return value && *value >= 0 && *value < kUnlimited ? static_cast<std::size_t>(*value) : kNoMemoryLimit;
}

// The processors that `quota` of CPU time in each `period` keeps busy.
std::size_t Processors(std::optional<double> quota, std::optional<double> period) {
  if (!quota || !period || !(*period > 0)) return kNoQuota;
  constexpr double kMost = 1e6;
  const double processors = *quota / *period;  // Less than 0 without a quota.
  return processors > 0 && processors < kMost ? static_cast<std::size_t>(std::ceil(processors)) : kNoQuota;
}

std::size_t QuotaOf(const ControlGroup& group) {
  if (group.version == 2) {
    ProcFile max((group.folder + "/cpu.max").c_str());  // "150000 100000", or "max 100000".
    return Processors(max.Number(""), max.Number(" "));
  }
  ProcFile quota((group.folder + "/cpu.cfs_quota_us").c_str());
  ProcFile period((group.folder + "/cpu.cfs_period_us").c_str());
  return Processors(quota.Number(""), period.Number(""));
}

// Takes the number at the start of `text`.
std::optional<std::size_t> TakeNumber(std::string_view& text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

// Whether a list of the kernel, such as "0-3,8", has the number.
bool Has(std::string_view list, std::size_t number) {
  while (const std::optional<std::size_t> first = TakeNumber(list)) {
    std::optional<std::size_t> last = first;
    if (list.starts_with('-')) {
      list.remove_prefix(1);
      last = TakeNumber(list);
    }
    if (last && *first <= number && number <= *last) return true;
    if (!list.starts_with(',')) break;
    list.remove_prefix(1);
  }
  return false;
}

// How many of `allowed` are performance cores; all if the kernel reports no difference or none of them is one.
std::size_t PerformanceProcessors(std::span<const std::size_t> allowed, const std::string& root) {
  std::ptrdiff_t count = 0;
  const ProcFile list((root + "/sys/devices/cpu_core/cpus").c_str());
  if (list.error() == 0) {
    count = std::ranges::count_if(allowed, [&](std::size_t number) { return Has(list.text(), number); });
  } else {
    std::vector<double> capacities;
    for (std::size_t number : allowed) {
      const std::string folder = root + "/sys/devices/system/cpu/cpu" + std::to_string(number);
      const ProcFile capacity((folder + "/cpu_capacity").c_str());
      capacities.push_back(capacity.Number("").value_or(0));
      if (!(capacities.back() > 0)) return allowed.size();
    }
    // Cores with less would delay the others. Of three kinds of cores, the medium ones have more than half.
    const double most = capacities.empty() ? 0 : std::ranges::max(capacities);
    count = std::ranges::count_if(capacities, [&](double capacity) { return capacity > most / 2; });
  }
  return count > 0 ? static_cast<std::size_t>(count) : allowed.size();
}

}  // namespace

std::size_t CgroupMemoryLimit(const std::string& root) {
  std::size_t limit = kNoMemoryLimit;
  for (const ControlGroup& group : ControlGroupsOf("memory", root)) {
    limit = std::min(limit, ReadLimit(group.folder + (group.version == 2 ? "/memory.max" : "/memory.limit_in_bytes")));
  }
  return limit;
}

std::size_t CgroupProcessors(const std::string& root) {
  std::size_t least = kNoQuota;
  for (const ControlGroup& group : ControlGroupsOf("cpu", root)) least = std::min(least, QuotaOf(group));
  return least;
}

std::size_t ProcessorsAmong(std::span<const std::size_t> allowed, const std::string& root) {
  return std::max<std::size_t>(1, std::min(PerformanceProcessors(allowed, root), CgroupProcessors(root)));
}

std::size_t UsableProcessors() {
  cpu_set_t sets[8];  // As many processors as any kernel can have.
  if (sched_getaffinity(0, sizeof sets, sets) != 0) return 1;
  auto usable = Guarded([&]() -> Result<std::size_t> {
    std::vector<std::size_t> allowed;
    for (std::size_t number = 0; number < 8 * sizeof sets; ++number) {
      if (CPU_ISSET_S(number, sizeof sets, sets)) allowed.push_back(number);
    }
    return ProcessorsAmong(allowed, "");
  });
  return usable.ok() ? *usable : static_cast<std::size_t>(CPU_COUNT_S(sizeof sets, sets));
}

}  // namespace thimble::base

namespace thimble::inline v0_1 {

std::size_t MemoryLimit() {
  std::size_t limit = base::kNoMemoryLimit;
  const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
  if (pages > 0 && page > 0) limit = static_cast<std::size_t>(pages) * static_cast<std::size_t>(page);
  auto group = base::Guarded([]() -> Result<std::size_t> { return base::CgroupMemoryLimit(""); });
  if (group.ok()) limit = std::min(limit, *group);
  return limit == base::kNoMemoryLimit ? 0 : limit;
}

Result<ProcessMemory> MeasureMemory(int process) {
  return base::Guarded([&]() -> Result<ProcessMemory> {
    char folder[32] = "/proc/self";
    if (process != 0) std::snprintf(folder, sizeof folder, "/proc/%d", process);
    const std::string name(folder);
    base::ProcFile rollup((name + "/smaps_rollup").c_str());
    if (rollup.error() != 0) return SystemError(rollup.error(), "cannot read", name + "/smaps_rollup");
    base::ProcFile status((name + "/status").c_str());
    if (status.error() != 0) return SystemError(status.error(), "cannot read", name + "/status");
    auto bytes = [](const base::ProcFile& file, std::string_view key) {
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
