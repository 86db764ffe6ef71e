// Variables of the environment, which are UTF-16.

#include <windows.h>

#include <string_view>

#include "base/environment.h"
#include "base/path.h"

namespace thimble::base {

std::string Environment(const char* name) {
  const std::wstring wide_name(name, name + std::string_view(name).size());  // Names of ours are ASCII.
  std::wstring value;
  for (;;) {
    const auto room = static_cast<DWORD>(value.size());
    // Of a value that does not fit, the length with its end; another thread may change it meanwhile.
    const DWORD length = GetEnvironmentVariableW(wide_name.c_str(), value.data(), room);
    value.resize(length);
    if (length == 0 || length < room) return FromPath(value);
  }
}

}  // namespace thimble::base
