// What those who set an option call it.

#ifndef THIMBLE_BASE_OPTION_NAMES_H_
#define THIMBLE_BASE_OPTION_NAMES_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace thimble::base {

enum class OptionNames : std::uint8_t {
  kFlags,  // --max-memory, of the command line
  kC,      // `max_memory`, of the C interface and of Python
  kNode,   // maxMemory, of Node.js
};

// A message of the library, in which options stand as `max_memory`, with the names that its reader knows.
std::string WithOptionNames(std::string_view message, OptionNames names);

}  // namespace thimble::base

#endif  // THIMBLE_BASE_OPTION_NAMES_H_
