// The processors of a process on Windows, from its affinity.

#include <windows.h>

#include <algorithm>
#include <bit>
#include <thread>

#include "base/processors.h"

namespace thimble::inline v0_1 {

std::size_t UsableProcessors() {
  DWORD_PTR process = 0, system = 0;
  // 0 where the process has processors of several groups.
  if (GetProcessAffinityMask(GetCurrentProcess(), &process, &system) && process != 0) {
    return static_cast<std::size_t>(std::popcount(process));
  }
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace thimble::inline v0_1
