// What a process takes of the machine's memory, and what it may take, in the kernel's own figures.
//
//   auto memory = thimble::MeasureMemory();
//   if (memory.ok()) std::printf("%zu bytes of its own\n", memory->private_bytes);

#ifndef THIMBLE_MEMORY_H_
#define THIMBLE_MEMORY_H_

#include <cstddef>

#include "thimble/status.h"

namespace thimble {

// Bytes of a process, from /proc/PID/smaps_rollup and /proc/PID/status.
struct ProcessMemory {
  std::size_t rss_bytes = 0;       // All its pages in memory, those it shares counted in full.
  std::size_t pss_bytes = 0;       // The same, a page that n processes share counted as 1/n.
  std::size_t private_bytes = 0;   // Pages without a file behind them (Anonymous). A file's pages are not counted:
                                   // other processes use the same ones, and the system drops them at need.
  std::size_t peak_rss_bytes = 0;  // Most rss_bytes at any time (VmHWM).
  std::size_t data_bytes = 0;      // Address space that becomes private when used (VmData), as RLIMIT_DATA limits it.
};

// The memory of a process, 0 meaning this one. Thread-safe. kNotFound without such a process, kIo when its figures
// cannot be read, kUnsupported on a system that has none.
Result<ProcessMemory> MeasureMemory(int process = 0);

// Bytes of memory that this process may use at most: the least of the machine's and of its control groups' limits
// (memory.max, or memory.limit_in_bytes). 0 when neither is known. Thread-safe.
std::size_t MemoryLimit();

}  // namespace thimble

#endif  // THIMBLE_MEMORY_H_
