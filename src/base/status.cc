// Names of codes, and Status from errno.

#include "thimble/status.h"

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace thimble {

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
  char buffer[128];
  // The GNU form returns the text, which need not be in the buffer.
  const char* text = strerror_r(error_number, buffer, sizeof buffer);
  return Error(code, what, " ", path, ": ", text);
}

}  // namespace thimble
