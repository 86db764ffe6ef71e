// Opening models by their names.

#include "thimble/cache.h"

#include <utility>

#include "base/error.h"
#include "base/guard.h"
#include "runtime/engines.h"
#include "store/lookup.h"

namespace thimble::inline v0_1 {

Result<std::shared_ptr<const Model>> OpenModel(std::string_view model, std::string_view dtype,
                                               const std::string& folder, const OpenOptions& options) {
  return Guarded([&]() -> Result<std::shared_ptr<const Model>> {
    if (runtime::FilesAreReplaced()) return Model::Open(std::string(model), options);
    THIMBLE_ASSIGN_OR_RETURN(std::string path, store::Lookup(model, dtype, folder));
    return Model::Open(path, options);
  });
}

}  // namespace thimble::inline v0_1
