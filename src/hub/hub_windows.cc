// The hub on Windows, where it is not supported.

#include "base/error.h"
#include "thimble/hub.h"

namespace thimble {
namespace {

Status Unsupported() {
  return Error(Code::kUnsupported, "models cannot be pulled on Windows yet; a file made elsewhere works");
}

}  // namespace

Result<PulledModel> PullModel(const std::string&, const PullOptions&) { return Unsupported(); }
Result<std::vector<NamedModel>> ListModels(const std::string&) { return Unsupported(); }
Result<std::vector<NamedModel>> RemoveModel(std::string_view, std::string_view, const std::string&) {
  return Unsupported();
}

}  // namespace thimble
