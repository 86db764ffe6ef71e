// How SSE4.1 and AVX2 store codes. See vector_scalar-inl.h for what each operation computes.

THIMBLE_INLINE void StoreBytes(void* p, I a) { _mm_storeu_si128(static_cast<__m128i*>(p), LowBytes(a)); }
THIMBLE_INLINE void StoreBytesOffset(std::uint8_t* p, I a) {
  __m128i bytes = _mm_xor_si128(LowBytes(a), _mm_set1_epi8(static_cast<char>(0x80)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}
THIMBLE_INLINE void StoreColumns(const I (&rows)[4], std::int8_t* p) {
  const __m128i r0 = LowBytes(rows[0]), r1 = LowBytes(rows[1]), r2 = LowBytes(rows[2]), r3 = LowBytes(rows[3]);
  const __m128i low01 = _mm_unpacklo_epi8(r0, r1), high01 = _mm_unpackhi_epi8(r0, r1);
  const __m128i low23 = _mm_unpacklo_epi8(r2, r3), high23 = _mm_unpackhi_epi8(r2, r3);
  __m128i* out = reinterpret_cast<__m128i*>(p);
  _mm_storeu_si128(out, _mm_unpacklo_epi16(low01, low23));
  _mm_storeu_si128(out + 1, _mm_unpackhi_epi16(low01, low23));
  _mm_storeu_si128(out + 2, _mm_unpacklo_epi16(high01, high23));
  _mm_storeu_si128(out + 3, _mm_unpackhi_epi16(high01, high23));
}
THIMBLE_INLINE void StoreQuads(const I (&rows)[4], std::int8_t* p) {
  const __m128i r0 = LowBytes(rows[0]), r1 = LowBytes(rows[1]), r2 = LowBytes(rows[2]), r3 = LowBytes(rows[3]);
  const __m128i low01 = _mm_unpacklo_epi32(r0, r1), high01 = _mm_unpackhi_epi32(r0, r1);
  const __m128i low23 = _mm_unpacklo_epi32(r2, r3), high23 = _mm_unpackhi_epi32(r2, r3);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_unpacklo_epi64(low01, low23));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 64), _mm_unpackhi_epi64(low01, low23));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 128), _mm_unpacklo_epi64(high01, high23));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 192), _mm_unpackhi_epi64(high01, high23));
}
