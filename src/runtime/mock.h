// Models without a file, for tests of applications. Model::Open says what they compute.

#ifndef THIMBLE_RUNTIME_MOCK_H_
#define THIMBLE_RUNTIME_MOCK_H_

#include <memory>
#include <string_view>

#include "runtime/engine.h"

namespace thimble::inline v0_1 {

// Whether the environment's THIMBLE_BACKEND names what embeds, and native is not among it: a mock stands in for every
// model, or models cannot be opened.
bool MockForced();
// Whether the environment's THIMBLE_BACKEND, names with commas between, has this one.
bool BackendHas(std::string_view name);
// The mock of that name.
std::unique_ptr<const Model::Impl> OpenMock(std::string_view name);

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_RUNTIME_MOCK_H_
