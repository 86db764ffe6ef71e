// The processors of a process on Windows, from its affinity.

#include <windows.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <thread>
#include <vector>

#include "base/guard.h"
#include "base/processors.h"

namespace thimble::inline v0_1 {
namespace {

// How many processors of `mask` are in the highest efficiency class, which means the fastest, among them; 0 if the
// system does not say.
Result<std::size_t> PerformanceProcessors(DWORD_PTR mask) {
  DWORD bytes = 0;
  GetLogicalProcessorInformationEx(RelationProcessorCore, nullptr, &bytes);
  std::vector<std::byte> cores(bytes);
  std::byte* next = cores.data();
  if (!GetLogicalProcessorInformationEx(RelationProcessorCore,
                                        reinterpret_cast<SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX*>(next), &bytes)) {
    return std::size_t{0};
  }
  BYTE highest = 0;
  int count = 0;
  for (const std::byte* const end = next + bytes; next != end;) {
    const auto& core = *reinterpret_cast<const SYSTEM_LOGICAL_PROCESSOR_INFORMATION_EX*>(next);
    next += core.Size;
    const int processors = std::popcount(core.Processor.GroupMask[0].Mask & mask);
    if (processors == 0 || core.Processor.EfficiencyClass < highest) continue;
    if (core.Processor.EfficiencyClass > highest) count = 0;
    highest = core.Processor.EfficiencyClass;
    count += processors;
  }
  return static_cast<std::size_t>(count);
}

}  // namespace

std::size_t UsableProcessors() {
  DWORD_PTR process = 0, system = 0;
  // 0 where the process has processors of several groups.
  if (!GetProcessAffinityMask(GetCurrentProcess(), &process, &system) || process == 0) {
    return std::max(1u, std::thread::hardware_concurrency());
  }
  // Machines with several groups of processors, which `process` does not name, have one kind of cores.
  if (GetActiveProcessorGroupCount() == 1) {
    const auto performance = Guarded([&] { return PerformanceProcessors(process); });
    if (performance.ok() && *performance > 0) return *performance;
  }
  return static_cast<std::size_t>(std::popcount(process));
}

}  // namespace thimble::inline v0_1
