// What modules.json of a folder says: where the transformer lies, how tokens are pooled, and what comes behind.

#ifndef THIMBLE_CONVERT_MODULES_H_
#define THIMBLE_CONVERT_MODULES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "json/json_file.h"
#include "model/head.h"
#include "thimble/status.h"

namespace thimble::convert {

struct Modules {
  std::string transformer;           // Its folder inside the source, "" for the source itself.
  model::HeadSpec head;              // Without sizes but the outputs of Dense modules.
  std::vector<std::string> folders;  // Of each module of the head, inside the source.
};

// Reads modules.json and the config.json of each module, in the form of every release of sentence-transformers since
// 2.0. `file` is modules.json of the folder `source`. kUnsupported for a module that thimble does not run, kCorrupt for
// a malformed file; the message names it and the field.
Result<Modules> ReadModules(const std::string& source, const json::JsonFile& file);

// Gives each module its inputs, and checks them against what a Dense or LayerNorm module says of itself, for tokens of
// `hidden` floats. kCorrupt, naming the module.
Status SizeModules(const std::string& source, std::size_t hidden, Modules* modules);

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_MODULES_H_
