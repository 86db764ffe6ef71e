// Keeps the library that holds this code in memory until the process ends, whoever unloads it.

#ifndef THIMBLE_BASE_KEEP_LOADED_H_
#define THIMBLE_BASE_KEEP_LOADED_H_

namespace thimble::base {

// Thread-safe. Best effort: a library that the system does not find again is not kept.
#if defined(__linux__)
inline void KeepLoaded() {}  // The linker's option -z nodelete does it.
#else
void KeepLoaded();
#endif

}  // namespace thimble::base

#endif  // THIMBLE_BASE_KEEP_LOADED_H_
