// The processors of a process on macOS, which has neither affinity nor quotas.

#include <algorithm>
#include <thread>

#include "base/processors.h"

namespace thimble::inline v0_1 {

std::size_t UsableProcessors() { return std::max(1u, std::thread::hardware_concurrency()); }

}  // namespace thimble::inline v0_1
