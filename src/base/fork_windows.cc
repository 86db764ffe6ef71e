// Windows has no fork().

#include "base/fork.h"

namespace thimble::inline v0_1 {

std::uint32_t ForkNumber() { return 0; }
ForkMutex::ForkMutex() = default;
ForkMutex::~ForkMutex() = default;

}  // namespace thimble::inline v0_1
