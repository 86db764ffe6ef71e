// The control groups that a process is in, on Linux.

#ifndef THIMBLE_BASE_CONTROL_GROUPS_H_
#define THIMBLE_BASE_CONTROL_GROUPS_H_

#include <string>
#include <string_view>
#include <vector>

namespace thimble::inline v0_1 {

// A control group whose limits hold for this process.
struct ControlGroup {
  int version;         // 1 or 2; the names of its files depend on it.
  std::string folder;  // Where its files are.
};

// The groups of `controller` ("cpu", "memory") that this process is in: its own and those around it, as far as they are
// mounted; those of version 2 whatever controllers they have. `root` stands for "/": empty but for tests.
std::vector<ControlGroup> ControlGroupsOf(std::string_view controller, const std::string& root);

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_BASE_CONTROL_GROUPS_H_
