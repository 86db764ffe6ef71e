// The memory limit that control groups set.

#ifndef THIMBLE_BASE_MEMORY_LIMIT_H_
#define THIMBLE_BASE_MEMORY_LIMIT_H_

#include <cstddef>
#include <limits>
#include <string>

namespace thimble::inline v0_1 {

inline constexpr std::size_t kNoMemoryLimit = std::numeric_limits<std::size_t>::max();

// The least limit, in bytes, of the control groups of this process; kNoMemoryLimit when there is none. `root` as in
// control_groups.h.
std::size_t CgroupMemoryLimit(const std::string& root);

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_BASE_MEMORY_LIMIT_H_
