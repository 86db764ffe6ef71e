// Keeps a library in memory on Windows.

#include <windows.h>

#include "base/keep_loaded.h"

namespace thimble::inline v0_1 {

void KeepLoaded() {
  static const char here = 0;
  HMODULE module = nullptr;
  GetModuleHandleExA(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, &here, &module);
}

}  // namespace thimble::inline v0_1
