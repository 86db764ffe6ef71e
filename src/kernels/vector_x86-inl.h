// What the vector operations of SSE4.1, AVX2 and AVX-512 have in common: 128-bit steps and the prefetch.

template <typename T>
THIMBLE_INLINE T LoadAs(const void* p) {
  T value;
  __builtin_memcpy(&value, p, sizeof value);
  return value;
}
THIMBLE_INLINE __m128i LoadBytes(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
// Of each four bytes those at places 0, 2, 1 and 3: what WidenPair calls pairs.
THIMBLE_INLINE __m128i InOrderOfPairs(__m128i bytes) {
  return _mm_shuffle_epi8(bytes, _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15));
}
// The sum of four lanes: halves first, as ReduceAdd promises.
THIMBLE_INLINE float FoldAdd(__m128 a) {
  a = _mm_add_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)));
}
THIMBLE_INLINE float FoldMax(__m128 a) {
  a = _mm_max_ps(a, _mm_movehl_ps(a, a));
  return _mm_cvtss_f32(_mm_max_ss(a, _mm_movehdup_ps(a)));
}
// The bytes of a group's packed multipliers, repeated.
template <WeightFormat kFormat>
THIMBLE_INLINE __m128i PackedMultipliers(const std::uint8_t* group) {
  constexpr std::size_t kBytes = format::MatrixLevels(kFormat).MultiplierBytes(kStrip);
  if constexpr (kBytes == 8) return _mm_set1_epi64x(LoadAs<std::int64_t>(group + kStrip));
  static_assert(kBytes == 8 || kBytes == 4);
  return _mm_set1_epi32(LoadAs<std::int32_t>(group + kStrip));
}
// To the second-level cache: to the first it was slower at 16 to 32 rows.
THIMBLE_INLINE void Prefetch(const void* p) { _mm_prefetch(static_cast<const char*>(p), _MM_HINT_T1); }
// The sum of kCount unsigned bytes.
template <std::size_t kCount>
THIMBLE_INLINE std::int16_t SumOfCodes(const std::uint8_t* p) {
  __m128i sum = _mm_setzero_si128();
  THIMBLE_UNROLL
  for (std::size_t i = 0; i < kCount; i += 16) {
    sum = _mm_add_epi64(sum, _mm_sad_epu8(LoadBytes(p + i), _mm_setzero_si128()));
  }
  return static_cast<std::int16_t>(_mm_cvtsi128_si32(_mm_add_epi64(sum, _mm_unpackhi_epi64(sum, sum))));
}
