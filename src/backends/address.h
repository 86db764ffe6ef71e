// Base URLs of providers, their keys, and the fingerprints of their vector spaces.

#ifndef THIMBLE_BACKENDS_ADDRESS_H_
#define THIMBLE_BACKENDS_ADDRESS_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "backends/table.h"
#include "thimble/status.h"

namespace thimble::backends {

struct BaseUrl {
  std::string text;    // Without a slash at its end.
  std::string origin;  // Scheme, host and port in lower case, without a port that is the scheme's own.
};

// `given`, or else the dialect's environment variable, or else its default. kInvalidArgument for anything but
// http://HOST[:PORT][/PATH] or https; messages do not show a user or a password.
Result<BaseUrl> BaseUrlOf(const Dialect& dialect, std::string_view given);

// The key that the environment, or a file it names, has now; empty when there is none. kIo for a file that cannot be
// read, kInvalidArgument for a key that cannot stand in a header; messages do not show it.
Result<std::string> KeyOf(const Dialect& dialect);

// What to do for a key: "OPENAI_API_KEY, or OPENAI_API_KEY_FILE with the path of a file that has it".
std::string HowToSetKey(const Dialect& dialect);

// Of the vectors that `model` of that provider gives. `dimensions` is 0 where none were asked for.
std::string FingerprintOf(std::string_view dialect, std::string_view origin, std::string_view model,
                          std::size_t dimensions);

// Of a space that the user names.
std::string NamedFingerprintOf(std::string_view name, std::size_t dimensions);

}  // namespace thimble::backends

#endif  // THIMBLE_BACKENDS_ADDRESS_H_
