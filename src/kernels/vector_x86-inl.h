// What the vector operations of AVX2 and AVX-512 have in common: 128-bit steps and the prefetch.

template <typename T>
THIMBLE_INLINE T LoadAs(const void* p) {
  T value;
  __builtin_memcpy(&value, p, sizeof value);
  return value;
}
THIMBLE_INLINE __m128i LoadBytes(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
// The sum of four lanes: halves first, as ReduceAdd promises.
THIMBLE_INLINE float FoldAdd(__m128 a) {
  a = _mm_add_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
THIMBLE_INLINE float FoldMax(__m128 a) {
  a = _mm_max_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}
THIMBLE_INLINE void InterleaveRows(const std::int8_t* rows, std::size_t stride, std::int8_t* line) {
  __m128i r0 = LoadBytes(rows), r1 = LoadBytes(rows + stride);
  __m128i r2 = LoadBytes(rows + 2 * stride), r3 = LoadBytes(rows + 3 * stride);
  __m128i low01 = _mm_unpacklo_epi8(r0, r1), high01 = _mm_unpackhi_epi8(r0, r1);
  __m128i low23 = _mm_unpacklo_epi8(r2, r3), high23 = _mm_unpackhi_epi8(r2, r3);
  __m128i* out = reinterpret_cast<__m128i*>(line);
  _mm_storeu_si128(out, _mm_unpacklo_epi16(low01, low23));
  _mm_storeu_si128(out + 1, _mm_unpackhi_epi16(low01, low23));
  _mm_storeu_si128(out + 2, _mm_unpacklo_epi16(high01, high23));
  _mm_storeu_si128(out + 3, _mm_unpackhi_epi16(high01, high23));
}
THIMBLE_INLINE void SpreadQuads(const std::int8_t* rows, std::size_t stride, std::int8_t* lines) {
  __m128i r0 = LoadBytes(rows), r1 = LoadBytes(rows + stride);
  __m128i r2 = LoadBytes(rows + 2 * stride), r3 = LoadBytes(rows + 3 * stride);
  __m128i low01 = _mm_unpacklo_epi32(r0, r1), high01 = _mm_unpackhi_epi32(r0, r1);
  __m128i low23 = _mm_unpacklo_epi32(r2, r3), high23 = _mm_unpackhi_epi32(r2, r3);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(lines), _mm_unpacklo_epi64(low01, low23));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(lines + 64), _mm_unpackhi_epi64(low01, low23));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(lines + 128), _mm_unpacklo_epi64(high01, high23));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(lines + 192), _mm_unpackhi_epi64(high01, high23));
}
// The bytes of a group's packed multipliers, repeated.
template <int kBits>
THIMBLE_INLINE __m128i PackedMultipliers(const std::uint8_t* group) {
  if constexpr (kBits == 4) return _mm_set1_epi64x(LoadAs<std::int64_t>(group + kStrip));
  return _mm_set1_epi32(LoadAs<std::int32_t>(group + kStrip));
}
// To the second-level cache: to the first it was slower at 16 to 32 rows.
THIMBLE_INLINE void Prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }
