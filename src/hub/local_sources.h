// Models of the hub that other programs have on this machine.

#ifndef THIMBLE_HUB_LOCAL_SOURCES_H_
#define THIMBLE_HUB_LOCAL_SOURCES_H_

#include <string>
#include <vector>

#include "store/name.h"
#include "thimble/status.h"

namespace thimble::hub {

// A folder in the layout of Hugging Face that may be the model.
struct LocalSource {
  std::string path;
  std::string repository;  // Of the cache of huggingface_hub alone,
  std::string commit;      // whose snapshots never change.
};

// The repositories that a name stands for: the one on the hub, and its copies; of a bare name that is not known, none.
std::vector<std::string> RepositoriesOf(const store::ModelName& name);

// In the order in which they are to be tried: the cache of huggingface_hub, `folders`, the caches of transformers.js,
// ./models. `looked` gets the places that were looked at, for messages. kInvalidArgument for a bare name that several
// organisations have in the cache of huggingface_hub.
Result<std::vector<LocalSource>> FindLocalSources(const store::ModelName& name, const std::vector<std::string>& folders,
                                                  std::vector<std::string>& looked);

}  // namespace thimble::hub

#endif  // THIMBLE_HUB_LOCAL_SOURCES_H_
