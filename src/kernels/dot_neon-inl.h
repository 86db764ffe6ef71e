// Dot products of plain NEON. See vector_scalar-inl.h for what each operation computes.

using Quad = int8x16_t;

// 16 accumulators, 4 registers of weights, 1 of activations and temporaries, of 32.
inline constexpr bool kSigned = true;
inline constexpr std::size_t kTileRows = 4;
inline constexpr std::size_t kTileStrips = 1;

THIMBLE_INLINE Quad LoadQuad(const std::uint8_t* p) {
  std::uint32_t quad;
  __builtin_memcpy(&quad, p, 4);
  return vreinterpretq_s8_u32(vdupq_n_u32(quad ^ 0x80808080));
}
// The sum of two products is a 16-bit one: -128 meets -128 nowhere, because codes of activations end at -127, and the
// weights that -128 as a probability meets do too.
THIMBLE_INLINE I Dot4(I acc, Quad a, const Line& w) {
  // Spelled out because compilers would first compute all products of a tile, for which there are not enough registers.
  return MapI([&](int i) {
    int16x8_t low, high;
    asm volatile(
        "smull %0.8h, %2.8b, %3.8b\n"
        "smull2 %1.8h, %2.16b, %3.16b\n"
        "addp %0.8h, %0.8h, %1.8h"
        : "=&w"(low), "=&w"(high)
        : "w"(a), "w"(w.v[i]));
    return vpadalq_s16(acc.v[i], low);
  });
}
