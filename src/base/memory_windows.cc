// The memory of processes on Windows.

// clang-format off: the second needs the first.
#include <windows.h>
#include <psapi.h>
// clang-format on

#include "base/windows_error.h"
#include "thimble/memory.h"

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
  const Status failure = found ? Status() : WindowsError("cannot read the memory of", "the process");
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
