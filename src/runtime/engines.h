// The engines by the names of their backends, and which of them opens a model.

#ifndef THIMBLE_RUNTIME_ENGINES_H_
#define THIMBLE_RUNTIME_ENGINES_H_

#include <memory>
#include <string>
#include <string_view>

#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble::kernels {
struct Kernels;
}

namespace thimble::runtime {

// Opens the model file at `path`, or by its own name a model without a file. The errors of Model::Open.
using Opener = Result<std::unique_ptr<const Engine>>(const std::string& path, const OpenOptions& options);
Opener OpenNative;
Opener OpenMock;
// The first with other kernels than those of the process.
Result<std::unique_ptr<const Engine>> OpenNative(const std::string& path, const OpenOptions& options,
                                                 const kernels::Kernels& kernels);

struct EngineEntry {
  std::string_view name;
  Opener* open;
  bool opens_files = false;  // The first of THIMBLE_BACKEND that does opens all files of the process.
};
inline constexpr EngineEntry kEngines[] = {
    {.name = "native", .open = OpenNative, .opens_files = true},
    {.name = "mock", .open = OpenMock},
    {.name = "mock-hashed", .open = OpenMock},
};

// Null when there is none of that name.
const EngineEntry* FindEngine(std::string_view name);

// The environment's choice: the THIMBLE_BACKEND of Backend::Open, or native.
std::string ChosenBackends();
// Whether none of the chosen backends opens files: a mock stands in for every model, or models cannot be opened.
bool FilesAreReplaced();

// A model of the engine that its name or the environment chooses. The errors of Model::Open.
Opener OpenEngine;

}  // namespace thimble::runtime

#endif  // THIMBLE_RUNTIME_ENGINES_H_
