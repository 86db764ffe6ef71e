// Variables of the environment.

#include <cstdlib>

#include "base/environment.h"

namespace thimble::base {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace thimble::base
