// The hub on Windows, where models are not converted: what is there is found.

#include <filesystem>
#include <optional>
#include <string>
#include <system_error>

#include "base/error.h"
#include "base/guard.h"
#include "base/path.h"
#include "store/folder.h"
#include "store/lookup.h"
#include "thimble/hub.h"

namespace thimble::inline v0_1 {

Result<PulledModel> PullModel(const std::string& model, const PullOptions& options) {
  return base::Guarded([&]() -> Result<PulledModel> {
    std::string name = model;
    if (!options.revision.empty()) {
      THIMBLE_ASSIGN_OR_RETURN(const store::ModelName parsed, store::ParseName(model, options.revision));
      name = parsed.Text();
    }
    const Result<std::string> path = store::Lookup(name, options.dtype, options.folder);
    const Result<std::string> folder = store::FolderOrDefault(options.folder);
    std::optional<NamedModel> there = path.ok() && folder.ok() ? store::Describe(*path, *folder) : std::nullopt;
    if (there && !options.force) return PulledModel{*std::move(there), false};
    std::error_code ignored;
    // Not "not found", for which callers go on to models elsewhere.
    const bool is_source =
        store::IsFolder(model) && std::filesystem::exists(base::ToPath(model) / "config.json", ignored);
    if (options.local_files_only && !path.ok() && !is_source) return path.status();
    return Error(Code::kUnsupported, is_source ? model + ": thimble cannot convert" : "thimble cannot pull",
                 " models on Windows; copy a model file made on another system");
  });
}

}  // namespace thimble::inline v0_1
