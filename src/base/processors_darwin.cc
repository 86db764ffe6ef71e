// The processors of a process on macOS, which has neither affinity nor quotas.

#include <sys/sysctl.h>

#include <algorithm>
#include <thread>

#include "base/processors.h"

namespace thimble::inline v0_1 {

std::size_t UsableProcessors() {
  int performance = 0;
  std::size_t size = sizeof performance;
  // Level 0 is the fastest; processors with one kind of cores have no levels.
  if (sysctlbyname("hw.perflevel0.logicalcpu", &performance, &size, nullptr, 0) == 0 && performance > 0) {
    return static_cast<std::size_t>(performance);
  }
  return std::max(1u, std::thread::hardware_concurrency());
}

}  // namespace thimble::inline v0_1
