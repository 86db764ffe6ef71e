// The hub's functions of the addon.

#ifndef THIMBLE_BINDINGS_NODE_HUB_H_
#define THIMBLE_BINDINGS_NODE_HUB_H_

#include <napi.h>

namespace thimble::node {

// pull(id, name, {dtype, revision?, folder?, force}, onProgress?) -> a promise of {name, dtype, path, bytes,
// repository, revision, downloaded}. onProgress is called with {stage, bytes, totalBytes, share}.
Napi::Value Pull(const Napi::CallbackInfo& info);

}  // namespace thimble::node

#endif  // THIMBLE_BINDINGS_NODE_HUB_H_
