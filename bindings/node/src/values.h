// From JavaScript values to C++ and back. lib/ has checked the types of everything that comes from users.

#ifndef THIMBLE_BINDINGS_NODE_VALUES_H_
#define THIMBLE_BINDINGS_NODE_VALUES_H_

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "thimble/embedder.h"
#include "thimble/pool.h"
#include "thimble/status.h"

namespace thimble::node {

// UTF-8, with U+FFFD for lone surrogates.
std::string ToString(Napi::Value value);
std::vector<std::string> ToStrings(Napi::Value array);
// Numbers are bytes, milliseconds or counts, at least 0; undefined is 0.
std::size_t ToSize(Napi::Value value);

// {pooling?, normalize?, promptName?, longTexts?, chunkOverlap?, firstIndex?}; kInvalidArgument for an unknown pooling
// or longTexts.
Result<VectorOptions> ToVectorOptions(Napi::Object options);
// {folder?, maxMemory?, maxModels?, unloadAfterMs?, maxWaitMs?, threads?, maxTokens?, truncation?}, unloadAfterMs
// below 0 meaning never; kInvalidArgument for an unknown truncation.
Result<PoolOptions> ToPoolOptions(Napi::Object options);

Napi::Object FromInfo(Napi::Env env, const ModelInfo& info, std::size_t max_tokens);
Napi::Object FromPlan(Napi::Env env, const Plan& plan);
Napi::Object FromStats(Napi::Env env, const PoolStats& stats);
// Uint32Array: for each text its tokens, whether it was truncated as 0 or 1, and its chunks.
Napi::Uint32Array FromReports(Napi::Env env, const std::vector<Report>& reports);

}  // namespace thimble::node

#endif  // THIMBLE_BINDINGS_NODE_VALUES_H_
