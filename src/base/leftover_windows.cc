// Signals do not end processes on Windows, which removes the files of locks itself.

#include "base/leftover.h"

namespace thimble::inline v0_1 {

Leftover::Leftover(const std::string&) {}
Leftover::~Leftover() = default;
void RemoveLeftovers() {}

}  // namespace thimble::inline v0_1
