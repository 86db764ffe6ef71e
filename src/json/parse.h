// Parses JSON from anybody: nested to a limit, without repeated keys, and without exceptions.

#ifndef THIMBLE_JSON_PARSE_H_
#define THIMBLE_JSON_PARSE_H_

#include <nlohmann/json.hpp>
#include <string_view>

#include "thimble/status.h"

namespace thimble::json {

// Levels of objects and arrays: nlohmann's own functions call themselves for every level.
inline constexpr int kMaxDepth = 64;

// A whole JSON text. kCorrupt when it is not JSON, is nested deeper than kMaxDepth, or has an object that repeats a
// key; messages begin with `what`. It takes up to 16 times the memory of `text`, whose length the caller limits.
Result<nlohmann::json> Parse(std::string_view text, std::string_view what);

}  // namespace thimble::json

#endif  // THIMBLE_JSON_PARSE_H_
