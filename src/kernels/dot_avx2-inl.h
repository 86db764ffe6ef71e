// Dot products of AVX2. See vector_scalar-inl.h for what each operation computes.

// Weights widened to 16 bits: of each output the inputs 0 and 2 (even) and 1 and 3 (odd), so that a multiply-add of
// pairs is exact, which the byte form (it saturates) is not.
struct Line {
  __m256i even_low, odd_low, even_high, odd_high;
};
struct Quad {
  __m256i even, odd;
};

// 6 accumulators, 4 registers of weights, 2 of activations and temporaries, of 16.
inline constexpr bool kSigned = false;
inline constexpr std::size_t kTileRows = 3;
inline constexpr std::size_t kTileStrips = 1;
inline constexpr std::size_t kAttentionRows = 3;
inline constexpr std::size_t kAttentionStrips = 1;

THIMBLE_INLINE Line ToLine(__m256i low, __m256i high) {
  return {_mm256_srai_epi16(_mm256_slli_epi16(low, 8), 8), _mm256_srai_epi16(low, 8),
          _mm256_srai_epi16(_mm256_slli_epi16(high, 8), 8), _mm256_srai_epi16(high, 8)};
}
THIMBLE_INLINE Line LoadLine(const std::int8_t* p) {
  const __m256i* q = reinterpret_cast<const __m256i*>(p);
  return ToLine(_mm256_load_si256(q), _mm256_load_si256(q + 1));
}
THIMBLE_INLINE __m256i NarrowHalfLine(__m256i even, __m256i odd) {
  return _mm256_or_si256(_mm256_and_si256(even, _mm256_set1_epi16(255)), _mm256_slli_epi16(odd, 8));
}
THIMBLE_INLINE void StoreLine(std::int8_t* p, const Line& a) {
  __m256i* q = reinterpret_cast<__m256i*>(p);
  _mm256_store_si256(q, NarrowHalfLine(a.even_low, a.odd_low));
  _mm256_store_si256(q + 1, NarrowHalfLine(a.even_high, a.odd_high));
}
THIMBLE_INLINE Quad LoadQuad(const std::uint8_t* p) {
  __m256i bytes = _mm256_set1_epi32(LoadAs<std::int32_t>(p));
  return {_mm256_and_si256(bytes, _mm256_set1_epi16(255)), _mm256_srli_epi16(bytes, 8)};
}
THIMBLE_INLINE I Dot4(I acc, Quad a, Line w) {
  acc.low = _mm256_add_epi32(acc.low, _mm256_madd_epi16(a.even, w.even_low));
  acc.high = _mm256_add_epi32(acc.high, _mm256_madd_epi16(a.even, w.even_high));
  acc.low = _mm256_add_epi32(acc.low, _mm256_madd_epi16(a.odd, w.odd_low));
  acc.high = _mm256_add_epi32(acc.high, _mm256_madd_epi16(a.odd, w.odd_high));
  return acc;
}
