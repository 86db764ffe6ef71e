// What embeds: the options of remote backends, and the environment's choice.

#ifndef THIMBLE_CLI_BACKEND_FLAGS_H_
#define THIMBLE_CLI_BACKEND_FLAGS_H_

#include <cstddef>
#include <string>

#include "thimble/backend.h"
#include "thimble/embedder.h"
#include "thimble/status.h"

namespace thimble::cli {

class Arguments;
class ModelOption;

// --backend --base-url --dimensions --space --timeout.
struct BackendFlags {
  std::string backend;
  std::string base_url;
  std::size_t dimensions = 0;
  std::string space;
  std::size_t timeout_seconds = 0;

  void AddTo(Arguments& arguments);
  // Makes --backend the process's THIMBLE_BACKEND. Whether that is anything but a model or a mock in this process, so
  // that Open opens it. kInvalidArgument for options of remote backends where there is none.
  Result<bool> Choose() const;

  // `model` is what a native backend embeds with. kUnsupported for options that only those have.
  Result<Backend> Open(const ModelOption& model, const EmbedderOptions& options) const;
  Result<BackendCall> Call(const VectorOptions& options) const;
};

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_BACKEND_FLAGS_H_
