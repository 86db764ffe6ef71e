// Processes on macOS: memory, processors, for which it has neither affinity nor quotas, and libraries.

#include <dlfcn.h>
#include <mach/mach.h>
#include <sys/sysctl.h>

#include <algorithm>
#include <cstdint>
#include <thread>

#include "base/error.h"
#include "base/keep_loaded.h"
#include "base/processors.h"
#include "thimble/memory.h"

namespace thimble::base {

std::size_t UsableProcessors() {
  int performance = 0;
  std::size_t size = sizeof performance;
  // Level 0 is the fastest; processors with one kind of cores have no levels.
  if (sysctlbyname("hw.perflevel0.logicalcpu", &performance, &size, nullptr, 0) == 0 && performance > 0) {
    return static_cast<std::size_t>(performance);
  }
  return std::max(1u, std::thread::hardware_concurrency());
}

void KeepLoaded() {
  static const char here = 0;
  Dl_info info;
  if (dladdr(&here, &info) != 0) dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

}  // namespace thimble::base

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
