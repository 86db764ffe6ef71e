// Building a Status from text and numbers.
//
//   return Error(Code::kCorrupt, path, ": tensor \"", name, "\": needs ", need, " bytes, file has ", have);

#ifndef THIMBLE_BASE_ERROR_H_
#define THIMBLE_BASE_ERROR_H_

#include <concepts>
#include <string>
#include <string_view>
#include <utility>

#include "thimble/status.h"

// Returns the Status of `expression` from the enclosing function unless it is ok.
#define THIMBLE_RETURN_IF_ERROR(expression)          \
  do {                                               \
    ::thimble::Status thimble_status = (expression); \
    if (!thimble_status.ok()) return thimble_status; \
  } while (false)

// Declares `variable` from the value of a Result, or returns its Status.
#define THIMBLE_ASSIGN_OR_RETURN(variable, expression) \
  THIMBLE_ASSIGN_OR_RETURN_(THIMBLE_CONCAT_(thimble_result_, __LINE__), variable, expression)
#define THIMBLE_CONCAT_(a, b) THIMBLE_CONCAT2_(a, b)
#define THIMBLE_CONCAT2_(a, b) a##b
#define THIMBLE_ASSIGN_OR_RETURN_(result, variable, expression) \
  auto result = (expression);                                   \
  if (!result.ok()) return result.status();                     \
  variable = std::move(*result)

namespace thimble::inline v0_1 {

namespace internal {
inline void AppendPart(std::string& message, std::string_view part) { message += part; }
template <std::integral T>
void AppendPart(std::string& message, T number) {
  message += std::to_string(number);
}
}  // namespace internal

// A Status whose message is the concatenation of `parts`: strings and integers.
template <typename... Parts>
Status Error(Code code, const Parts&... parts) {
  std::string message;
  (internal::AppendPart(message, parts), ...);
  return Status(code, std::move(message));
}

// "`what` `path`: " and the text of errno value `error_number`; kNotFound for ENOENT, kOutOfMemory for ENOMEM, else
// kIo.
Status SystemError(int error_number, std::string_view what, std::string_view path);

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_BASE_ERROR_H_
