// Models without a file, for tests of applications. Model::Open says what they compute.

#ifndef THIMBLE_RUNTIME_MOCK_H_
#define THIMBLE_RUNTIME_MOCK_H_

#include <memory>
#include <string_view>

#include "runtime/engine.h"

namespace thimble {

// Whether the environment's THIMBLE_BACKEND puts a mock in place of every model.
bool MockForced();
// The mock of that name.
std::unique_ptr<const Model::Impl> OpenMock(std::string_view name);

}  // namespace thimble

#endif  // THIMBLE_RUNTIME_MOCK_H_
