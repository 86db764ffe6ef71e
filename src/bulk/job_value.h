// What decides the bytes of an output, as JSON: two jobs that have the same may go on with each other's files.

#ifndef THIMBLE_BULK_JOB_VALUE_H_
#define THIMBLE_BULK_JOB_VALUE_H_

#include <string>

#include "bulk/records.h"
#include "bulk/vector_rows.h"
#include "json/value.h"
#include "thimble/bulk.h"

namespace thimble::bulk {

json::Value JobValue(const Model& model, const CorpusOptions& options, const VectorForm& form, InputFormat input_format,
                     const Plan& plan);

// The first member in which they differ, as "precision int8, and this one has float32"; empty when they are the same.
std::string JobDifference(const json::Value& before, const json::Value& now);

}  // namespace thimble::bulk

#endif  // THIMBLE_BULK_JOB_VALUE_H_
