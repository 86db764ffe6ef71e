// The memory of this process on macOS.

#include <mach/mach.h>
#include <sys/sysctl.h>

#include <cstdint>

#include "base/error.h"
#include "thimble/memory.h"

namespace thimble::inline v0_1 {

std::size_t MemoryLimit() {
  std::uint64_t bytes = 0;
  std::size_t size = sizeof bytes;
  return sysctlbyname("hw.memsize", &bytes, &size, nullptr, 0) == 0 ? static_cast<std::size_t>(bytes) : 0;
}

Result<ProcessMemory> MeasureMemory(int process) {
  if (process != 0) return Error(Code::kUnsupported, "macOS reports the memory of this process only");
  task_vm_info_data_t info = {};
  mach_msg_type_number_t count = TASK_VM_INFO_COUNT;
  const kern_return_t result = task_info(mach_task_self(), TASK_VM_INFO, reinterpret_cast<task_info_t>(&info), &count);
  if (result != KERN_SUCCESS) return Error(Code::kIo, "task_info failed with ", result);
  // The system has no share of a shared page; the resident size stands for it.
  return ProcessMemory{.rss_bytes = info.resident_size,
                       .pss_bytes = info.resident_size,
                       .private_bytes = info.phys_footprint,
                       .peak_rss_bytes = info.resident_size_peak,
                       .data_bytes = info.internal};
}

}  // namespace thimble::inline v0_1
