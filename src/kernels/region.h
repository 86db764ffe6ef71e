// Compiling part of a file for an instruction set. Files get no flags of their own: those would leak instructions into
// library templates that the linker shares with the rest of the program.
//
//   #include everything first
//   THIMBLE_BEGIN_TARGET("avx2,fma,f16c")
//   namespace thimble::kernels::avx2 { ... }
//   THIMBLE_END_TARGET

#ifndef THIMBLE_KERNELS_REGION_H_
#define THIMBLE_KERNELS_REGION_H_

#define THIMBLE_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define THIMBLE_BEGIN_TARGET(features) \
  THIMBLE_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define THIMBLE_END_TARGET THIMBLE_PRAGMA(clang attribute pop)
#elif defined(__aarch64__)
// gcc 12 moves loads so far ahead, before it knows its registers, that accumulators end up on the stack.
#define THIMBLE_BEGIN_TARGET(features) \
  THIMBLE_PRAGMA(GCC push_options)     \
  THIMBLE_PRAGMA(GCC target(features)) \
  THIMBLE_PRAGMA(GCC optimize("no-schedule-insns"))
#define THIMBLE_END_TARGET THIMBLE_PRAGMA(GCC pop_options)
#else
#define THIMBLE_BEGIN_TARGET(features) \
  THIMBLE_PRAGMA(GCC push_options)     \
  THIMBLE_PRAGMA(GCC target(features))
#define THIMBLE_END_TARGET THIMBLE_PRAGMA(GCC pop_options)
#endif

#define THIMBLE_INLINE inline __attribute__((always_inline))
#define THIMBLE_LAMBDA __attribute__((always_inline))
#if defined(__clang__)
#define THIMBLE_UNROLL _Pragma("unroll")
#define THIMBLE_UNROLL_4 _Pragma("unroll 4")
#else
#define THIMBLE_UNROLL _Pragma("GCC unroll 32")
#define THIMBLE_UNROLL_4 _Pragma("GCC unroll 4")
#endif

#endif  // THIMBLE_KERNELS_REGION_H_
