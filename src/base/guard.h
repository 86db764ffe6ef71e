// Turns an exhausted heap into a Status, so that no exception leaves a public function.

#ifndef THIMBLE_BASE_GUARD_H_
#define THIMBLE_BASE_GUARD_H_

#include <new>
#include <utility>

#include "thimble/status.h"

namespace thimble::base {

// What work() returns, a Status or a Result, or kOutOfMemory when an allocation in it fails. In a build without
// exceptions such an allocation ends the process, as the C++ library then does everywhere.
template <typename Work>
auto Guarded(Work&& work) -> decltype(work()) {
#ifdef __cpp_exceptions
  try {
    return std::forward<Work>(work)();
  } catch (const std::bad_alloc&) {
    return Status(Code::kOutOfMemory, "out of memory");  // Short enough to need no allocation of its own.
  }
#else
  return std::forward<Work>(work)();
#endif
}

}  // namespace thimble::base

#endif  // THIMBLE_BASE_GUARD_H_
