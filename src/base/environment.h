// Variables of the environment.

#ifndef THIMBLE_BASE_ENVIRONMENT_H_
#define THIMBLE_BASE_ENVIRONMENT_H_

#include <string>

namespace thimble::base {

// The value as UTF-8; empty when there is none. On Windows that of the system: the C library's is in another encoding,
// and lacks what node or Python have changed.
std::string Environment(const char* name);

}  // namespace thimble::base

#endif  // THIMBLE_BASE_ENVIRONMENT_H_
