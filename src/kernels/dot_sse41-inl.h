// Dot products of SSE4.1. See vector_scalar-inl.h for what each operation computes.

// Weights as they lie in memory: widened, as in dot_avx2-inl.h, they would fill half the registers.
using Line = I;
struct Quad {
  __m128i even, odd;
};

// 8 accumulators, 4 registers of activations, 2 of weights and temporaries, of 16.
inline constexpr bool kSigned = false;
inline constexpr std::size_t kTileRows = 2;
inline constexpr std::size_t kTileStrips = 1;
inline constexpr std::size_t kAttentionRows = 2;
inline constexpr std::size_t kAttentionStrips = 1;

THIMBLE_INLINE Line LoadLine(const std::int8_t* p) {
  return MapI([=](int i) { return LoadBytes(p + 16 * i); });
}
THIMBLE_INLINE void StoreLine(std::int8_t* p, const Line& a) {
  for (int i = 0; i < 4; ++i) _mm_store_si128(reinterpret_cast<__m128i*>(p + 16 * i), a.v[i]);
}
THIMBLE_INLINE Quad LoadQuad(const std::uint8_t* p) {
  __m128i bytes = _mm_set1_epi32(LoadAs<std::int32_t>(p));
  return {_mm_and_si128(bytes, _mm_set1_epi16(255)), _mm_srli_epi16(bytes, 8)};
}
THIMBLE_INLINE I Dot4(I acc, Quad a, const Line& w) {
  return MapI([&](int i) {
    __m128i even = _mm_srai_epi16(_mm_slli_epi16(w.v[i], 8), 8), odd = _mm_srai_epi16(w.v[i], 8);
    __m128i sum = _mm_add_epi32(_mm_madd_epi16(a.even, even), _mm_madd_epi16(a.odd, odd));
    return _mm_add_epi32(acc.v[i], sum);
  });
}
