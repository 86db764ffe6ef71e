// The vector operations in AVX-512 (F, BW, VL, DQ), but for the dot product, which dot_*-inl.h defines. See
// vector_scalar-inl.h for what each computes.

using F = __m512;
using I = __m512i;

THIMBLE_INLINE F Load(const float* p) { return _mm512_loadu_ps(p); }
THIMBLE_INLINE void Store(float* p, F a) { _mm512_storeu_ps(p, a); }
THIMBLE_INLINE F Set(float x) { return _mm512_set1_ps(x); }
THIMBLE_INLINE F Add(F a, F b) { return _mm512_add_ps(a, b); }
THIMBLE_INLINE F Sub(F a, F b) { return _mm512_sub_ps(a, b); }
THIMBLE_INLINE F Mul(F a, F b) { return _mm512_mul_ps(a, b); }
THIMBLE_INLINE F Div(F a, F b) { return _mm512_div_ps(a, b); }
THIMBLE_INLINE F Fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
THIMBLE_INLINE F FmaThroughDouble(F a, F b, F c) { return Fma(a, b, c); }
THIMBLE_INLINE F Max(F a, F b) { return _mm512_max_ps(a, b); }
THIMBLE_INLINE F Min(F a, F b) { return _mm512_min_ps(a, b); }
THIMBLE_INLINE F Abs(F a) { return _mm512_abs_ps(a); }
THIMBLE_INLINE F SelectNegative(F x, F negative, F other) {
  return _mm512_mask_mov_ps(other, _mm512_movepi32_mask(_mm512_castps_si512(x)), negative);
}
THIMBLE_INLINE F LookUp(const float* table, F bits) {
  return _mm512_permutexvar_ps(_mm512_castps_si512(bits), _mm512_load_ps(table));
}
THIMBLE_INLINE F RoundEven(F a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
THIMBLE_INLINE F ScaleByPowerOfTwo(F x, F n) { return _mm512_scalef_ps(x, n); }
THIMBLE_INLINE float ReduceAdd(F a) {
  __m256 b = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  return FoldAdd(_mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1)));
}
THIMBLE_INLINE float ReduceMax(F a) {
  __m256 b = _mm256_max_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1));
  return FoldMax(_mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1)));
}
THIMBLE_INLINE F ButterflyOne(F a) {
  const F signs = _mm512_setr_ps(1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1);
  return Fma(a, signs, _mm512_permute_ps(a, 0xB1));
}
THIMBLE_INLINE F ButterflyTwo(F a) {
  const F signs = _mm512_setr_ps(1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1, 1, 1, -1, -1);
  return Fma(a, signs, _mm512_permute_ps(a, 0x4E));
}
THIMBLE_INLINE F LoadInt8(const std::int8_t* p) { return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(LoadBytes(p))); }
THIMBLE_INLINE F LoadHalf(const std::uint16_t* p) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}

THIMBLE_INLINE F ToFloat(I a) { return _mm512_cvtepi32_ps(a); }
THIMBLE_INLINE I ToInt(F a) { return _mm512_cvtps_epi32(a); }
THIMBLE_INLINE I LoadI(const std::int32_t* p) { return _mm512_loadu_si512(p); }
THIMBLE_INLINE void StoreI(std::int32_t* p, I a) { _mm512_storeu_si512(p, a); }
THIMBLE_INLINE I Zero() { return _mm512_setzero_si512(); }
THIMBLE_INLINE I AddLanes(I a, I b) {
  asm("vpaddd %1, %0, %0" : "+v"(a) : "v"(b));
  return a;
}
THIMBLE_INLINE I TimesMinus128(I a) { return _mm512_sub_epi32(Zero(), _mm512_slli_epi32(a, 7)); }
THIMBLE_INLINE void StoreBytes(void* p, I a) { _mm_storeu_si128(static_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a)); }
THIMBLE_INLINE void StoreBytesOffset(std::uint8_t* p, I a) {
  __m128i bytes = _mm_xor_si128(_mm512_cvtepi32_epi8(a), _mm_set1_epi8(static_cast<char>(0x80)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}

// The low bytes of four rows; each quarter of the vector has one quad of every row.
THIMBLE_INLINE __m512i QuadsOfRows(const I (&rows)[4]) {
  const __m512i mask = _mm512_set1_epi32(255);
  const __m512i words01 = _mm512_packus_epi32(_mm512_and_si512(rows[0], mask), _mm512_and_si512(rows[1], mask));
  const __m512i words23 = _mm512_packus_epi32(_mm512_and_si512(rows[2], mask), _mm512_and_si512(rows[3], mask));
  return _mm512_packus_epi16(words01, words23);
}
THIMBLE_INLINE void StoreColumns(const I (&rows)[4], std::int8_t* p) {
  const __m128i transpose = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  _mm512_storeu_si512(p, _mm512_shuffle_epi8(QuadsOfRows(rows), _mm512_broadcast_i32x4(transpose)));
}
THIMBLE_INLINE void StoreQuads(const I (&rows)[4], std::int8_t* p) {
  const __m512i quads = QuadsOfRows(rows);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_castsi512_si128(quads));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 64), _mm512_extracti32x4_epi32(quads, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 128), _mm512_extracti32x4_epi32(quads, 2));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 192), _mm512_extracti32x4_epi32(quads, 3));
}

// ReduceMax or ReduceAdd of up to 16 vectors at once: two vectors become one with half of the lanes folded, four times,
// in the order of the single reduction. Lane i is that of row i; the lanes behind kRows are those of other rows.
template <bool kMax>
THIMBLE_INLINE F Fold(F a, F b) {
  return kMax ? _mm512_max_ps(a, b) : _mm512_add_ps(a, b);
}
template <bool kMax, std::size_t kRows>
THIMBLE_INLINE F ReduceRows(const F (&rows)[kRows]) {
  constexpr std::size_t kCount = kRows <= 8 ? 8 : 16;
  F a[kCount / 2], b[kCount / 4], c[kCount / 8];
  THIMBLE_UNROLL
  for (std::size_t i = 0; i < kCount / 2; ++i) {
    const F x = rows[2 * i < kRows ? 2 * i : 0], y = rows[2 * i + 1 < kRows ? 2 * i + 1 : 0];
    a[i] = Fold<kMax>(_mm512_shuffle_f32x4(x, y, 0x44), _mm512_shuffle_f32x4(x, y, 0xEE));
  }
  THIMBLE_UNROLL
  for (std::size_t i = 0; i < kCount / 4; ++i) {
    const F x = a[2 * i], y = a[2 * i + 1];
    b[i] = Fold<kMax>(_mm512_shuffle_f32x4(x, y, 0x88), _mm512_shuffle_f32x4(x, y, 0xDD));
  }
  THIMBLE_UNROLL
  for (std::size_t i = 0; i < kCount / 8; ++i) {
    const __m512d x = _mm512_castps_pd(b[2 * i]), y = _mm512_castps_pd(b[2 * i + 1]);
    c[i] = Fold<kMax>(_mm512_castpd_ps(_mm512_unpacklo_pd(x, y)), _mm512_castpd_ps(_mm512_unpackhi_pd(x, y)));
  }
  const F x = c[0], y = c[kCount / 8 - 1];
  const F folded = Fold<kMax>(_mm512_shuffle_ps(x, y, 0x88), _mm512_shuffle_ps(x, y, 0xDD));
  // Quarter q has rows q, q + 4, and so on.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  return _mm512_permutexvar_ps(order, folded);
}
template <std::size_t kRows>
THIMBLE_INLINE F ReduceMaxRows(const F (&rows)[kRows]) {
  return ReduceRows<true>(rows);
}
template <std::size_t kRows>
THIMBLE_INLINE F ReduceAddRows(const F (&rows)[kRows]) {
  return ReduceRows<false>(rows);
}

THIMBLE_INLINE I LoadLine(const void* p) { return _mm512_load_si512(p); }
THIMBLE_INLINE void StoreLine(void* p, I a) { _mm512_store_si512(p, a); }
using Quad = __m512i;
THIMBLE_INLINE Quad LoadQuad(const void* p) { return _mm512_set1_epi32(LoadAs<std::int32_t>(p)); }
