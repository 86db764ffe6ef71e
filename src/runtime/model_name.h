// The parts of what a caller names a model by.

#ifndef THIMBLE_RUNTIME_MODEL_NAME_H_
#define THIMBLE_RUNTIME_MODEL_NAME_H_

#include <string_view>

namespace thimble {

// Whether `model` is looked for in a folder: neither the path of a file nor a mock. It may still be no valid name.
bool IsInFolder(std::string_view model);

// A name without its organisation, which is what its file is called by; anything else as it is.
std::string_view FileName(std::string_view model);

}  // namespace thimble

#endif  // THIMBLE_RUNTIME_MODEL_NAME_H_
