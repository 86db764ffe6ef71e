// Named values as lines of text or as one JSON object.

#ifndef THIMBLE_CLI_VALUES_H_
#define THIMBLE_CLI_VALUES_H_

#include <span>

#include "base/file_identity.h"
#include "json/value.h"
#include "thimble/status.h"

namespace thimble::cli {

// Prints the members of an object, one a line, or the object in one line. The errors of Output::Open.
Status PrintValues(const json::Object& values, bool as_json, std::span<const InputFile> inputs = {});

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_VALUES_H_
