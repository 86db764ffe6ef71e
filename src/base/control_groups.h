// The control groups that a process is in, on Linux, and the memory limit that they set.

#ifndef THIMBLE_BASE_CONTROL_GROUPS_H_
#define THIMBLE_BASE_CONTROL_GROUPS_H_

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace thimble::base {

// A control group whose limits hold for this process.
struct ControlGroup {
  int version;         // 1 or 2; the names of its files depend on it.
  std::string folder;  // Where its files are.
};

// The groups of `controller` ("cpu", "memory") that this process is in: its own and those around it, as far as they are
// mounted; those of version 2 whatever controllers they have. `root` stands for "/": empty but for tests.
std::vector<ControlGroup> ControlGroupsOf(std::string_view controller, const std::string& root);

inline constexpr std::size_t kNoMemoryLimit = std::numeric_limits<std::size_t>::max();

// The least limit, in bytes, of the control groups of this process; kNoMemoryLimit when there is none.
std::size_t CgroupMemoryLimit(const std::string& root);

}  // namespace thimble::base

#endif  // THIMBLE_BASE_CONTROL_GROUPS_H_
