// The file of a model, whatever it is named by.

#ifndef THIMBLE_STORE_LOOKUP_H_
#define THIMBLE_STORE_LOOKUP_H_

#include <string>
#include <string_view>

#include "thimble/status.h"

namespace thimble::store {

// Whether `model` is the path of a folder or of another file: it is written as a path, or can be no name and is a
// folder.
bool IsFolder(std::string_view model);

// `dtype`, or what it means where none is asked for.
inline std::string_view DtypeOrDefault(std::string_view dtype) { return dtype.empty() ? "q8" : dtype; }

// The model file that is there, whose path may not exist where it was given as such; mocks stay as they are. The errors
// of OpenModel.
Result<std::string> Lookup(std::string_view model, std::string_view dtype, const std::string& folder);

}  // namespace thimble::store

#endif  // THIMBLE_STORE_LOOKUP_H_
