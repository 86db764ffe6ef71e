// The instruction of AVX-VNNI, in a file of its own so that tests can put an emulation in its place.

// Spelled out because gcc 12 spills the accumulators of the intrinsic.
THIMBLE_INLINE __m256i VexVpdpbusd(__m256i acc, __m256i a, __m256i b) {
  asm("%{vex%} vpdpbusd %2, %1, %0" : "+x"(acc) : "x"(a), "x"(b));
  return acc;
}
