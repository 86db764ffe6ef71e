// Named values as lines of text or as one JSON object.

#ifndef THIMBLE_CLI_VALUES_H_
#define THIMBLE_CLI_VALUES_H_

#include "json/value.h"
#include "thimble/status.h"

namespace thimble::cli {

// Prints the members of an object, one a line, or the object in one line.
Status PrintValues(const json::Object& values, bool as_json);

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_VALUES_H_
