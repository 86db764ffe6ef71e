// From JavaScript values to C++ and back. lib/ has checked the types of everything that comes from users.

#ifndef THIMBLE_BINDINGS_NODE_VALUES_H_
#define THIMBLE_BINDINGS_NODE_VALUES_H_

#include <napi.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "thimble/embedder.h"
#include "thimble/pool.h"
#include "thimble/precision.h"
#include "thimble/receipt.h"
#include "thimble/status.h"
#include "thimble/vocabulary.h"

namespace thimble::node {

// UTF-8, with U+FFFD for lone surrogates.
std::string ToString(Napi::Value value);
std::vector<std::string> ToStrings(Napi::Value array);
// What is no string is none.
std::vector<std::optional<std::string>> ToOptionalStrings(Napi::Value array);
// A copy of an Int32Array.
std::vector<std::int32_t> ToIds(Napi::Value array);
// Numbers are bytes, milliseconds or counts, at least 0; undefined is 0.
std::size_t ToSize(Napi::Value value);

// {pooling?, normalize?, dimensions?, promptName?, longTexts?, chunkOverlap?, firstIndex?}; kInvalidArgument for an
// unknown pooling or longTexts.
Result<VectorOptions> ToVectorOptions(Napi::Object options);
Result<RankOptions> ToRankOptions(Napi::Object options);
// Of the field precision of these options, float32 where there is none; kInvalidArgument for an unknown one.
Result<Precision> ToPrecision(Napi::Object options);
// {folder?, maxMemory?, maxModels?, unloadAfterMs?, maxWaitMs?, load?, verify?, threads?, maxTokens?, truncation?},
// unloadAfterMs below 0 meaning never; kInvalidArgument for an unknown load or truncation.
Result<PoolOptions> ToPoolOptions(Napi::Object options);

// `receipt` may be unset.
Napi::Object FromInfo(Napi::Env env, const ModelInfo& info, std::size_t max_tokens,
                      const std::optional<Receipt>& receipt);
// {cls?, sep?, unk?, pad?, mask?}, each {id, text}.
Result<Napi::Value> FromSpecialIds(Napi::Env env, const Model& model, const SpecialIds& ids);
// Of unrelatedCosines of FromInfo().
UnrelatedCosines ToUnrelatedCosines(Napi::Object object);
Napi::Object FromPlan(Napi::Env env, const Plan& plan);
Napi::Object FromStats(Napi::Env env, const PoolStats& stats);
// Uint32Array: for each text its tokens, whether it was truncated as 0 or 1, and its chunks.
Napi::Uint32Array FromReports(Napi::Env env, const std::vector<Report>& reports);

// A typed array with these values; no value where a worker was terminated just now.
template <typename Array, typename T>
Napi::Value FromVector(Napi::Env env, const std::vector<T>& values) {
  Array array = Array::New(env, values.size());
  if (array.IsEmpty()) return Napi::Value();
  if (!values.empty()) std::memcpy(array.Data(), values.data(), values.size() * sizeof(T));
  return array;
}

}  // namespace thimble::node

#endif  // THIMBLE_BINDINGS_NODE_VALUES_H_
