// What `thimble info` and bindings say of models.

#ifndef THIMBLE_CLI_INFO_VALUES_H_
#define THIMBLE_CLI_INFO_VALUES_H_

#include "json/value.h"
#include "thimble/cache.h"
#include "thimble/embedder.h"
#include "thimble/known_models.h"
#include "thimble/model.h"
#include "thimble/precision.h"
#include "thimble/status.h"

namespace thimble::cli {

// For vectors of these options and precision. The errors of ReadReceipt, SpaceFingerprint and FindCodeRange.
Result<json::Object> InfoValues(const Model& model, const VectorOptions& vectors, Precision precision);

json::Object KnownModelValues(const KnownModelInfo& model);
json::Object NamedModelValues(const NamedModel& model);

}  // namespace thimble::cli

#endif  // THIMBLE_CLI_INFO_VALUES_H_
