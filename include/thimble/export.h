// THIMBLE_API marks what a shared library of thimble exports. THIMBLE_SHARED is defined for that library and by the
// package for those who link it; without it nothing of thimble is visible outside the program it is linked into.
//
// Everything public is in an inline namespace named after the version, so that a program and a plug-in with different
// versions of thimble never share a function.

#ifndef THIMBLE_EXPORT_H_
#define THIMBLE_EXPORT_H_

#if defined(THIMBLE_SHARED) && !defined(_WIN32)
#define THIMBLE_API [[gnu::visibility("default")]]
#else
#define THIMBLE_API
#endif

#endif  // THIMBLE_EXPORT_H_
