// How many processors this process uses.

#ifndef THIMBLE_BASE_PROCESSORS_H_
#define THIMBLE_BASE_PROCESSORS_H_

#include <cstddef>
#include <limits>
#include <span>
#include <string>

namespace thimble::base {

// How many processors this process keeps busy by default, at least 1: of those that it may run on the performance
// cores, or all if none of them is one, but no more than the CPU quotas of its control groups, rounded up. Thread-safe.
std::size_t UsableProcessors();

inline constexpr std::size_t kNoQuota = std::numeric_limits<std::size_t>::max();

// Linux: the least quota of the control groups of this process, in processors rounded up, at least 1; kNoQuota when
// there is none. `root` as in control_groups.h.
std::size_t CgroupProcessors(const std::string& root);

// Linux: UsableProcessors() for a process that may run on the processors `allowed`, by their numbers. Performance cores
// are known by the kernel's list on Intel processors, elsewhere by their capacity.
std::size_t ProcessorsAmong(std::span<const std::size_t> allowed, const std::string& root);

}  // namespace thimble::base

#endif  // THIMBLE_BASE_PROCESSORS_H_
