// What embeds: the options of remote backends, and the environment's choice.

#ifndef THIMBLE_CLI_BACKEND_FLAGS_H_
#define THIMBLE_CLI_BACKEND_FLAGS_H_

#include <CLI/App.hpp>
#include <cstddef>
#include <string>

#include "cli/options.h"
#include "thimble/backend.h"
#include "thimble/status.h"

namespace thimble::cli {

// --backend --base-url --dimensions --space --timeout.
class BackendFlags {
 public:
  void AddTo(CLI::App& app);
  // Makes --backend the process's THIMBLE_BACKEND. Whether that is anything but a model or a mock in this process, so
  // that Open opens it. kUnsupported for options of remote backends where there is none.
  Result<bool> Choose() const;

  // kUnsupported for flags that only a native backend has.
  Result<Backend> Open(const ModelOption& model, const EmbedderFlags& flags) const;
  Result<BackendCall> Call(const EmbedderFlags& flags) const;
  std::size_t dimensions() const { return dimensions_; }

 private:
  std::string backend_;
  std::string base_url_;
  std::size_t dimensions_ = 0;
  std::string space_;
  double timeout_seconds_ = 0;
};

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_BACKEND_FLAGS_H_
