// What thimble needs of a machine, so that a build for another one ends with a sentence instead of wrong vectors.

#ifndef THIMBLE_BASE_PLATFORM_H_
#define THIMBLE_BASE_PLATFORM_H_

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "big-endian machines are not supported: model files hold numbers in little-endian order and are not copied"
#endif
#if __SIZEOF_POINTER__ != 8
#error "32-bit programs are not supported: build thimble for a 64-bit system"
#endif

#endif  // THIMBLE_BASE_PLATFORM_H_
