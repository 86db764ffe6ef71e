// The hub's functions of the addon.

#ifndef THIMBLE_BINDINGS_NODE_HUB_H_
#define THIMBLE_BINDINGS_NODE_HUB_H_

#include <napi.h>

namespace thimble::node {

// pull(id, model, {dtype, revision?, folder?, name?, force, localFilesOnly, localFolders}, onProgress?) -> a promise of
// {name, dtype, path, bytes, organisation, repository, revision, downloaded}. onProgress is called with {stage, bytes,
// totalBytes, share}.
Napi::Value Pull(const Napi::CallbackInfo& info);

// list(folder?) and remove(name, dtype?, folder?) -> an array of the same without `downloaded`, with `used`, a Date.
Napi::Value List(const Napi::CallbackInfo& info);
Napi::Value Remove(const Napi::CallbackInfo& info);

// knownModels() -> an array of KnownModel of index.d.ts.
Napi::Value ListKnownModels(const Napi::CallbackInfo& info);

}  // namespace thimble::node

#endif  // THIMBLE_BINDINGS_NODE_HUB_H_
