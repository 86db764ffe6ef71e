// Dot products of AVX-512 without VNNI. See vector_scalar-inl.h for what each operation computes.

// Weights and activations widened to 16 bits, as in dot_avx2-inl.h.
struct Line {
  __m512i even, odd;
};
struct Quad {
  __m512i even, odd;
};

// 8 accumulators, 4 registers of weights, 2 of activations and temporaries. There would be registers for twice the
// rows, which saves 6 % of the instructions and takes three times the code.
inline constexpr bool kSigned = false;
inline constexpr std::size_t kTileRows = 4;
inline constexpr std::size_t kTileStrips = 2;
inline constexpr std::size_t kAttentionRows = 4;
inline constexpr std::size_t kAttentionStrips = 2;

THIMBLE_INLINE Line ToLine(__m512i bytes) {
  return {_mm512_srai_epi16(_mm512_slli_epi16(bytes, 8), 8), _mm512_srai_epi16(bytes, 8)};
}
THIMBLE_INLINE Line LoadLine(const std::int8_t* p) { return ToLine(_mm512_load_si512(p)); }
THIMBLE_INLINE void StoreLine(std::int8_t* p, const Line& a) {
  __m512i even = _mm512_and_si512(a.even, _mm512_set1_epi16(255));
  _mm512_store_si512(p, _mm512_or_si512(even, _mm512_slli_epi16(a.odd, 8)));
}
THIMBLE_INLINE Quad LoadQuad(const std::uint8_t* p) {
  __m512i bytes = _mm512_set1_epi32(LoadAs<std::int32_t>(p));
  return {_mm512_and_si512(bytes, _mm512_set1_epi16(255)), _mm512_srli_epi16(bytes, 8)};
}
THIMBLE_INLINE I Dot4(I acc, Quad a, Line w) {
  acc = _mm512_add_epi32(acc, _mm512_madd_epi16(a.even, w.even));
  return _mm512_add_epi32(acc, _mm512_madd_epi16(a.odd, w.odd));
}
