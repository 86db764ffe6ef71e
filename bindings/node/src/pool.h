// The class Pool of the addon: a ModelPool of C++ behind promises.

#ifndef THIMBLE_BINDINGS_NODE_POOL_H_
#define THIMBLE_BINDINGS_NODE_POOL_H_

#include <napi.h>

#include <memory>

#include "thimble/pool.h"

namespace thimble::node {

// new Pool(options, shared): with `shared`, all environments of the process that give the same options have the same
// pool. Every function that takes `id` returns a promise; cancel(id) forgets it. The others are synchronous.
//
//   open(id, name, dtype, pin, options)                         -> {name, dtype, dimensions, ...}, where dimensions and
//                                                                  fingerprint are those that these options give
//   plan(id, name, dtype)                                       -> {mappedBytes, ...}
//   embed(id, name, dtype, texts, options, vectors, offset)     -> reports, the vectors are then at vectors[offset ..],
//                                                                  an array of the type of the options' precision
//   embedTokens(id, name, dtype, text)                          -> {tokens, truncated, vectors}
//   embedIds(id, name, dtype, ids)                              -> the vectors of the tokens, as Float32Array
//   rank(id, name, dtype, query, documents, options)            -> the scores of all documents, as Float32Array
//   unload(id, name, dtype)                                     -> undefined
//   embedSync(name, dtype, texts, options, vectors, offset)     -> reports
//   tokenize(name, dtype, texts, pairs, options)                -> {ids, lengths, typeIds?, offsets?}
//   specialTokens(name, dtype)                                  -> {cls?: {id, text}, ...}
//   vocabulary(name, dtype)                                     -> the entry of each id
//   unpin(name, dtype), stats(), close()
class Pool final : public Napi::ObjectWrap<Pool> {
 public:
  static Napi::Function Define(Napi::Env env);
  explicit Pool(const Napi::CallbackInfo& info);

 private:
  Napi::Value Open(const Napi::CallbackInfo& info);
  Napi::Value MakePlan(const Napi::CallbackInfo& info);
  Napi::Value Embed(const Napi::CallbackInfo& info);
  Napi::Value EmbedTokens(const Napi::CallbackInfo& info);
  Napi::Value EmbedIds(const Napi::CallbackInfo& info);
  Napi::Value Rank(const Napi::CallbackInfo& info);
  Napi::Value Unload(const Napi::CallbackInfo& info);
  Napi::Value EmbedSync(const Napi::CallbackInfo& info);
  Napi::Value Tokenize(const Napi::CallbackInfo& info);
  Napi::Value SpecialTokens(const Napi::CallbackInfo& info);
  Napi::Value Vocabulary(const Napi::CallbackInfo& info);
  Napi::Value Unpin(const Napi::CallbackInfo& info);
  Napi::Value Stats(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);

  std::shared_ptr<ModelPool> pool_;
};

}  // namespace thimble::node

#endif  // THIMBLE_BINDINGS_NODE_POOL_H_
