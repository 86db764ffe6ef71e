// The addon: the class Pool, and functions of the process.

#include <napi.h>

#include "environment.h"
#include "hub.h"
#include "pool.h"
#include "thimble/memory.h"
#include "thimble/receipt.h"
#include "values.h"

namespace thimble::node {
namespace {

// memory() -> {rss, pss, private, peakRss}, in bytes.
Napi::Value Memory(const Napi::CallbackInfo& info) {
  const Result<ProcessMemory> memory = MeasureMemory();
  if (!memory.ok()) {
    MakeError(info.Env(), memory.status()).ThrowAsJavaScriptException();
    return info.Env().Undefined();
  }
  Napi::Object object = Napi::Object::New(info.Env());
  object.Set("rss", static_cast<double>(memory->rss_bytes));
  object.Set("pss", static_cast<double>(memory->pss_bytes));
  object.Set("private", static_cast<double>(memory->private_bytes));
  object.Set("peakRss", static_cast<double>(memory->peak_rss_bytes));
  return object;
}

// percentile(unrelatedCosines, cosine) -> as of Percentile().
Napi::Value FindPercentile(const Napi::CallbackInfo& info) {
  const UnrelatedCosines unrelated = ToUnrelatedCosines(info[0].As<Napi::Object>());
  return Napi::Number::New(info.Env(), Percentile(unrelated, info[1].As<Napi::Number>().DoubleValue()));
}

Napi::Value Cancel(const Napi::CallbackInfo& info) {
  Environment::Of(info.Env()).Cancel(info[0].As<Napi::Number>().Uint32Value());
  return info.Env().Undefined();
}

Napi::Object Initialize(Napi::Env env, Napi::Object exports) {
  if (!Environment::Start(env)) return exports;
  exports.Set("Pool", Pool::Define(env));
  exports.Set("memory", Napi::Function::New<Memory>(env, "memory"));
  exports.Set("cancel", Napi::Function::New<Cancel>(env, "cancel"));
  exports.Set("percentile", Napi::Function::New<FindPercentile>(env, "percentile"));
  exports.Set("pull", Napi::Function::New<Pull>(env, "pull"));
  exports.Set("list", Napi::Function::New<List>(env, "list"));
  exports.Set("remove", Napi::Function::New<Remove>(env, "remove"));
  exports.Set("knownModels", Napi::Function::New<ListKnownModels>(env, "knownModels"));
  exports.Set("version", THIMBLE_VERSION);
  return exports;
}

}  // namespace

NODE_API_MODULE(thimble, Initialize)

}  // namespace thimble::node
