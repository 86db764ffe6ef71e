// Processes on Windows: their memory and processors; and what the system lacks. It has no fork(), its signals do not
// end processes, and it removes the files of locks itself.

// clang-format off: the second needs the first.
#include <windows.h>
#include <psapi.h>
// clang-format on

#include <algorithm>
#include <bit>
#include <cstddef>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/fork.h"
#include "base/guard.h"
#include "base/keep_loaded.h"
#include "base/leftover.h"
#include "base/processors.h"
#include "base/windows_error.h"
#include "thimble/memory.h"

namespace thimble::base {
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

void KeepLoaded() {
  static const char here = 0;
  HMODULE module = nullptr;
  GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, &here, &module);
}

std::uint32_t ForkNumber() { return 0; }
ForkMutex::ForkMutex() = default;
ForkMutex::~ForkMutex() = default;

Leftover::Leftover(const std::string&) {}
Leftover::~Leftover() = default;
void RemoveLeftovers() {}

}  // namespace thimble::base

namespace thimble::inline v0_1 {

std::size_t MemoryLimit() {
  MEMORYSTATUSEX status = {};
  status.dwLength = sizeof status;
  return GlobalMemoryStatusEx(&status) ? static_cast<std::size_t>(status.ullTotalPhys) : 0;
}

Result<ProcessMemory> MeasureMemory(int process) {
  const HANDLE handle = process == 0
                            ? GetCurrentProcess()
                            : OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, static_cast<DWORD>(process));
  if (handle == nullptr) return Error(Code::kNotFound, "process ", process, " cannot be opened");
  PROCESS_MEMORY_COUNTERS_EX counters = {};
  const bool found =
      K32GetProcessMemoryInfo(handle, reinterpret_cast<PROCESS_MEMORY_COUNTERS*>(&counters), sizeof counters);
  const Status failure = found ? Status() : base::WindowsError("cannot read the memory of", "the process");
  if (process != 0) CloseHandle(handle);
  if (!failure.ok()) return failure;
  // The system has no share of a shared page; the working set stands for it.
  return ProcessMemory{.rss_bytes = counters.WorkingSetSize,
                       .pss_bytes = counters.WorkingSetSize,
                       .private_bytes = counters.PrivateUsage,
                       .peak_rss_bytes = counters.PeakWorkingSetSize,
                       .data_bytes = counters.PrivateUsage};
}

}  // namespace thimble::inline v0_1
