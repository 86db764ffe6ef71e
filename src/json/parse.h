// Parses JSON from anybody: nested to a limit, without repeated keys, and without exceptions.

#ifndef THIMBLE_JSON_PARSE_H_
#define THIMBLE_JSON_PARSE_H_

#include <cstddef>
#include <string_view>

#include "json/value.h"
#include "thimble/status.h"

namespace thimble::json {

// Levels of objects and arrays: functions of Value call themselves for every level.
inline constexpr std::size_t kMaxDepth = 64;

struct ParseLimits {
  std::size_t depth = kMaxDepth;
  std::size_t values = static_cast<std::size_t>(-1);  // Each takes 16 bytes or more, "[0,0]" has three.
};

// A whole JSON text. kCorrupt when it is not JSON, is beyond the limits, or has an object that repeats a key; messages
// begin with `what`. The members of an object are sorted. Without a limit of values it takes up to 32 times the memory
// of `text`.
Result<Value> Parse(std::string_view text, std::string_view what, const ParseLimits& limits = {});

}  // namespace thimble::json

#endif  // THIMBLE_JSON_PARSE_H_
