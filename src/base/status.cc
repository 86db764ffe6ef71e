// Names of codes, and Status from errno.

#include "thimble/status.h"

#include <cerrno>
#include <iterator>
#include <system_error>

#include "base/error.h"

namespace thimble::inline v0_1 {

std::string_view CodeName(Code code) {
  // By Code.
  static constexpr std::string_view kNames[] = {"ok", "invalid_argument", "not_found", "corrupt", "unsupported",
                                                "io", "out_of_memory",    "overloaded"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Code::kOverloaded) + 1);
  const auto index = static_cast<std::size_t>(code);
  return index < std::size(kNames) ? kNames[index] : "unknown";
}

Status SystemError(int error_number, std::string_view what, std::string_view path) {
  Code code = error_number == ENOENT ? Code::kNotFound : error_number == ENOMEM ? Code::kOutOfMemory : Code::kIo;
  return Error(code, what, " ", path, ": ", std::generic_category().message(error_number));
}

}  // namespace thimble::inline v0_1
