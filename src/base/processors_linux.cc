// The processors of a process on Linux, from its affinity and its control groups.

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "base/control_groups.h"
#include "base/guard.h"
#include "base/proc_file.h"
#include "base/processors.h"

namespace thimble::inline v0_1 {
namespace {

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

}  // namespace

std::size_t CgroupProcessors(const std::string& root) {
  std::size_t least = kNoQuota;
  for (const ControlGroup& group : ControlGroupsOf("cpu", root)) least = std::min(least, QuotaOf(group));
  return least;
}

std::size_t UsableProcessors() {
  cpu_set_t sets[8];  // As many processors as any kernel can have.
  std::size_t processors = 1;
  if (sched_getaffinity(0, sizeof sets, sets) == 0) {
    processors = static_cast<std::size_t>(std::max(1, CPU_COUNT_S(sizeof sets, sets)));
  }
  auto quota = Guarded([]() -> Result<std::size_t> { return CgroupProcessors(""); });
  return quota.ok() ? std::min(processors, *quota) : processors;
}

}  // namespace thimble::inline v0_1
