// How many processors this process may use.

#ifndef THIMBLE_BASE_PROCESSORS_H_
#define THIMBLE_BASE_PROCESSORS_H_

#include <cstddef>
#include <limits>
#include <string>

namespace thimble::inline v0_1 {

// How many processors this process may keep busy, at least 1: no more than it may run on, nor than the CPU quotas of
// its control groups, rounded up. Thread-safe.
std::size_t UsableProcessors();

inline constexpr std::size_t kNoQuota = std::numeric_limits<std::size_t>::max();

// Linux: the least quota of the control groups of this process, in processors rounded up, at least 1; kNoQuota when
// there is none. `root` as in control_groups.h.
std::size_t CgroupProcessors(const std::string& root);

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_BASE_PROCESSORS_H_
