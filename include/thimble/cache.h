// Models that have a name: where they are kept, and opening them.
//
//   auto model = thimble::OpenModel("all-MiniLM-L6-v2", "q8");
//   if (!model.ok()) return model.status();  // Says which command gets the model where it is missing.
//   std::printf("%zu dimensions\n", (*model)->dimensions());

#ifndef THIMBLE_CACHE_H_
#define THIMBLE_CACHE_H_

#include <memory>
#include <string>
#include <string_view>

#include "thimble/model.h"
#include "thimble/status.h"

namespace thimble {

// The folder of models that have a name: the environment's THIMBLE_HOME, or thimble in XDG_CACHE_HOME, or
// .cache/thimble in HOME. Empty when none of them is set.
std::string CacheFolder();

// Whether `model` is the name of a model, with or without its organisation: "all-MiniLM-L6-v2",
// "sentence-transformers/all-MiniLM-L6-v2". A name has letters, digits and . _ - in it, and does not begin with a dot;
// mocks and what ends in .safetensors have none.
bool IsModelName(std::string_view model);

// The file of a model: FOLDER/NAME-DTYPE.safetensors for a name, whether that file exists or not; its organisation does
// not count. FOLDER is `folder`, or CacheFolder() where that is empty. A path that ends in .safetensors, mock and
// mock-hashed stay as they are. kInvalidArgument for anything else or an impossible dtype, kNotFound without a folder.
Result<std::string> ModelPath(std::string_view model, std::string_view dtype = "q8", const std::string& folder = {});

// Model::Open of that file. kNotFound for a name says which command gets the model.
Result<std::shared_ptr<const Model>> OpenModel(std::string_view model, std::string_view dtype = "q8",
                                               const std::string& folder = {});

}  // namespace thimble

#endif  // THIMBLE_CACHE_H_
