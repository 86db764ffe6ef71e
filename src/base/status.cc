// Names of codes, and Status from errno.

#include "thimble/status.h"

#include <cerrno>
#include <system_error>

#include "base/error.h"

namespace thimble::inline v0_1 {

std::string_view CodeName(Code code) {
  switch (code) {
    case Code::kOk:
      return "ok";
    case Code::kInvalidArgument:
      return "invalid_argument";
    case Code::kNotFound:
      return "not_found";
    case Code::kCorrupt:
      return "corrupt";
    case Code::kUnsupported:
      return "unsupported";
    case Code::kIo:
      return "io";
    case Code::kOutOfMemory:
      return "out_of_memory";
    case Code::kOverloaded:
      return "overloaded";
  }
  return "unknown";
}

Status SystemError(int error_number, std::string_view what, std::string_view path) {
  Code code = error_number == ENOENT ? Code::kNotFound : error_number == ENOMEM ? Code::kOutOfMemory : Code::kIo;
  return Error(code, what, " ", path, ": ", std::generic_category().message(error_number));
}

}  // namespace thimble::inline v0_1
