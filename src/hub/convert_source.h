// Converting a folder into a place of the folder of models, where the result appears only whole.

#ifndef THIMBLE_HUB_CONVERT_SOURCE_H_
#define THIMBLE_HUB_CONVERT_SOURCE_H_

#include <string>
#include <utility>
#include <vector>

#include "hub/reporter.h"
#include "store/name.h"
#include "thimble/convert.h"
#include "thimble/hub.h"
#include "thimble/status.h"

namespace thimble::hub {

// Metadata of a model that was made of a folder and then named: a hash of the folder's path.
inline constexpr const char* kFolderKey = "source.folder";

// What is made.
struct Product {
  ConvertOptions options = {};  // Those that PullOptions have, too.
  std::string folder = {};      // Of models.
  store::ModelName name = {};   // That the model is to have.
  bool force = false;
};

Status MakeFolder(const std::string& path);

// Converts `source` with `scratch`, a folder on the same file system, and moves the result to `path`.
Status ConvertTo(const std::string& path, const std::string& source, const std::string& scratch, const Product& product,
                 const std::vector<std::pair<std::string, std::string>>& metadata, Reporter& reporter);

// Gives the file `from` the name `to` as well, in place of what has it.
Status Link(const std::string& from, const std::string& to);

// The model made of the folder `path` (see store/source_folder.h), made now unless it is there and the folder has not
// changed. Not for a folder in which model files lie, whose errors are those of store::FindInFolder. With `named` it
// gets the product's name as well; kInvalidArgument when another model has that, unless the product is forced.
Result<NamedModel> ModelOfFolder(const std::string& path, const Product& product, bool named, Reporter& reporter);

// Whether the model at `path` is pooled and normalised as the product is to be, as far as it states that.
bool HasPooling(const std::string& path, const Product& product);

// Whether the folder has nothing but weights rounded to 8 or 4 bits.
bool HasOnlyQuantizedWeights(const std::string& path);

}  // namespace thimble::hub

#endif  // THIMBLE_HUB_CONVERT_SOURCE_H_
