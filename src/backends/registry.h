// Backends by name.

#ifndef THIMBLE_BACKENDS_REGISTRY_H_
#define THIMBLE_BACKENDS_REGISTRY_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "backends/environment.h"
#include "backends/member.h"
#include "backends/table.h"
#include "runtime/engines.h"
#include "thimble/backend.h"
#include "thimble/status.h"

namespace thimble::backends {

// One name of a chain: that of an engine, DIALECT:MODEL, DIALECT:MODEL@URL or tei:URL.
struct BackendName {
  std::string name;
  const runtime::EngineEntry* engine = nullptr;  // What embeds in this process,
  const Dialect* dialect = nullptr;              // or else what it asks.
  std::string model;
  std::string url;
};

// No names mean the environment's choice. kInvalidArgument for an unknown name.
Result<std::vector<BackendName>> ParseNames(std::string_view names);

// The backends of those names, as one. `environment` is that of the remote ones. The errors of Backend::Open.
Result<std::unique_ptr<Member>> MakeBackend(std::string_view names, const BackendOptions& options,
                                            std::shared_ptr<Environment> environment);

}  // namespace thimble::backends

#endif  // THIMBLE_BACKENDS_REGISTRY_H_
