// The memory limit that control groups set.

#ifndef THIMBLE_BASE_MEMORY_LIMIT_H_
#define THIMBLE_BASE_MEMORY_LIMIT_H_

#include <cstddef>
#include <limits>
#include <string>

namespace thimble {

inline constexpr std::size_t kNoMemoryLimit = std::numeric_limits<std::size_t>::max();

// The least limit, in bytes, of the control groups listed in the file `groups` (as /proc/self/cgroup) and of those they
// are in; `mount` is where the groups are mounted (/sys/fs/cgroup). kNoMemoryLimit when there is none.
std::size_t CgroupMemoryLimit(const char* groups, const std::string& mount);

}  // namespace thimble

#endif  // THIMBLE_BASE_MEMORY_LIMIT_H_
