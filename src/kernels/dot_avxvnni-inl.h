// Dot products of AVX-VNNI. See vector_scalar-inl.h for what each operation computes.

using Line = I;
using Quad = __m256i;

// 12 accumulators, 2 registers of weights and 1 of activations, of 16.
inline constexpr bool kSigned = false;
inline constexpr std::size_t kTileRows = 6;
inline constexpr std::size_t kTileStrips = 1;
inline constexpr std::size_t kAttentionRows = 6;
inline constexpr std::size_t kAttentionStrips = 1;

THIMBLE_INLINE Line LoadLine(const std::int8_t* p) {
  const __m256i* q = reinterpret_cast<const __m256i*>(p);
  return {_mm256_load_si256(q), _mm256_load_si256(q + 1)};
}
THIMBLE_INLINE void StoreLine(std::int8_t* p, const Line& a) {
  __m256i* q = reinterpret_cast<__m256i*>(p);
  _mm256_store_si256(q, a.low);
  _mm256_store_si256(q + 1, a.high);
}
THIMBLE_INLINE Quad LoadQuad(const std::uint8_t* p) { return _mm256_set1_epi32(LoadAs<std::int32_t>(p)); }
THIMBLE_INLINE I Dot4(I acc, Quad a, Line w) {
  return {VexVpdpbusd(acc.low, a, w.low), VexVpdpbusd(acc.high, a, w.high)};
}
