// The native engine: a mapped model file, and workers that run its forward pass.

#ifndef THIMBLE_RUNTIME_NATIVE_H_
#define THIMBLE_RUNTIME_NATIVE_H_

#include <memory>
#include <string>

#include "kernels/kernels.h"
#include "runtime/engine.h"
#include "thimble/status.h"

namespace thimble::inline v0_1 {

// Loads and checks the file at `path`; its workers use `kernels`. The errors of Model::Open.
Result<std::unique_ptr<const Model::Impl>> OpenNative(const std::string& path, const OpenOptions& options,
                                                      const kernels::Kernels& kernels);

}  // namespace thimble::inline v0_1

#endif  // THIMBLE_RUNTIME_NATIVE_H_
