// Keeps a library in memory on macOS.

#include <dlfcn.h>

#include "base/keep_loaded.h"

namespace thimble::inline v0_1 {

void KeepLoaded() {
  static const char here = 0;
  Dl_info info;
  if (dladdr(&here, &info) != 0) dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

}  // namespace thimble::inline v0_1
