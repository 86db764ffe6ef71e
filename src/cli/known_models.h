// thimble pull --list: the models that thimble knows.

#ifndef THIMBLE_CLI_KNOWN_MODELS_H_
#define THIMBLE_CLI_KNOWN_MODELS_H_

#include <string>

#include "thimble/status.h"

namespace thimble::cli {

// Prints those whose repository contains `text`, in any case of letters: a table, or one JSON object. kNotFound for
// none.
Status PrintKnownModels(const std::string& text, bool as_json);

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_KNOWN_MODELS_H_
