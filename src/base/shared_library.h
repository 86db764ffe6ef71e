// Libraries that are loaded when they are first needed: linked, they would slow every start. Not for Windows.

#ifndef THIMBLE_BASE_SHARED_LIBRARY_H_
#define THIMBLE_BASE_SHARED_LIBRARY_H_

#include <dlfcn.h>

#include <span>
#include <string>

#include "base/error.h"
#include "thimble/status.h"

namespace thimble::base {

// Loads the first of `names` that this system has; it stays until the process ends. kUnsupported, with the system's
// reasons, when there is none.
inline Result<void*> LoadSharedLibrary(std::span<const char* const> names) {
#if defined(RTLD_DEEPBIND) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  // Node.js exports an OpenSSL of its own, which is not the one that other libraries were built with. The sanitizers
  // refuse it.
  constexpr int kFlags = RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND;
#else
  constexpr int kFlags = RTLD_NOW | RTLD_LOCAL;
#endif
  std::string why;
  for (const char* name : names) {
    if (void* library = dlopen(name, kFlags)) return library;
    const char* error = dlerror();
    why += (why.empty() ? "" : "; ") + std::string(error == nullptr ? name : error);
  }
  if (dlopen(nullptr, RTLD_NOW) == nullptr) why = "this build of thimble is static and loads no libraries";
  return Error(Code::kUnsupported, why);
}

// Looks up a function of a library, or of one that it depends on; false when there is none of that name.
template <typename Function>
bool FindFunction(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace thimble::base

#endif  // THIMBLE_BASE_SHARED_LIBRARY_H_
