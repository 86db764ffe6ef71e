// Dot products of AVX-VNNI. See vector_scalar-inl.h for what each operation computes.

using Line = I;

// 12 accumulators, 2 registers of weights and 1 of activations, of 16.
inline constexpr bool kSigned = false;
inline constexpr std::size_t kTileRows = 6;
inline constexpr std::size_t kTileStrips = 1;

THIMBLE_INLINE I Dot4(I acc, Quad a, Line w) {
  return {VexVpdpbusd(acc.low, a, w.low), VexVpdpbusd(acc.high, a, w.high)};
}
