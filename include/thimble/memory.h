// The memory that a process uses, and how much it may use, as reported by the kernel.
//
//   auto memory = thimble::MeasureMemory();
//   if (memory.ok()) std::printf("%zu bytes of its own\n", memory->private_bytes);

#ifndef THIMBLE_MEMORY_H_
#define THIMBLE_MEMORY_H_

#include <cstddef>

#include "thimble/export.h"
#include "thimble/status.h"

namespace thimble::inline v0_1 {

// Bytes of a process, from /proc/PID/smaps_rollup and /proc/PID/status.
struct ProcessMemory {
  std::size_t rss_bytes = 0;       // All its pages in memory, shared ones counted in full.
  std::size_t pss_bytes = 0;       // The same, with a page shared by n processes counted as 1/n.
  std::size_t private_bytes = 0;   // Pages without a file behind them (Anonymous). Pages of files do not count,
                                   // because processes share them and the system can drop them.
  std::size_t peak_rss_bytes = 0;  // Maximum of rss_bytes so far (VmHWM).
  std::size_t data_bytes = 0;      // Address space that becomes private when used (VmData), as RLIMIT_DATA limits it.
};

// The memory of a process; 0 means this one. Thread-safe. kNotFound if the process does not exist, kIo if its figures
// cannot be read, kUnsupported if the system does not report them.
THIMBLE_API Result<ProcessMemory> MeasureMemory(int process = 0);

// The most bytes of memory that this process may use: the minimum of the machine's memory and the limits of its control
// groups (memory.max or memory.limit_in_bytes). 0 if none is known. Thread-safe.
THIMBLE_API std::size_t MemoryLimit();

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_MEMORY_H_
