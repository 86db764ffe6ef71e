// The vector operations in AVX2 with FMA and F16C, but for the dot product, which dot_*-inl.h defines. See
// vector_scalar-inl.h for what each computes.

struct F {
  __m256 low, high;
};
struct I {
  __m256i low, high;
};

THIMBLE_INLINE F Load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
THIMBLE_INLINE void Store(float* p, F a) {
  _mm256_storeu_ps(p, a.low);
  _mm256_storeu_ps(p + 8, a.high);
}
THIMBLE_INLINE F Set(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
THIMBLE_INLINE F Add(F a, F b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
THIMBLE_INLINE F Sub(F a, F b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
THIMBLE_INLINE F Mul(F a, F b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
THIMBLE_INLINE F Div(F a, F b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }
THIMBLE_INLINE F Fma(F a, F b, F c) {
  return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)};
}
THIMBLE_INLINE F FmaThroughDouble(F a, F b, F c) { return Fma(a, b, c); }
THIMBLE_INLINE F Max(F a, F b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
THIMBLE_INLINE F Min(F a, F b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
THIMBLE_INLINE F Abs(F a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
}
THIMBLE_INLINE F SelectNegative(F x, F negative, F other) {
  return {_mm256_blendv_ps(other.low, negative.low, x.low), _mm256_blendv_ps(other.high, negative.high, x.high)};
}
THIMBLE_INLINE __m256 LookUp(const float* table, __m256 bits) {
  const __m256i index = _mm256_castps_si256(bits);
  const __m256 low = _mm256_permutevar8x32_ps(_mm256_load_ps(table), index);
  const __m256 high = _mm256_permutevar8x32_ps(_mm256_load_ps(table + 8), index);
  return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(index, 28)));
}
THIMBLE_INLINE F LookUp(const float* table, F bits) { return {LookUp(table, bits.low), LookUp(table, bits.high)}; }
THIMBLE_INLINE F RoundEven(F a) {
  constexpr int kMode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.low, kMode), _mm256_round_ps(a.high, kMode)};
}
THIMBLE_INLINE __m256 PowerOfTwo(__m256 n) {
  __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
  return _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23));
}
THIMBLE_INLINE F ScaleByPowerOfTwo(F x, F n) { return Mul(x, {PowerOfTwo(n.low), PowerOfTwo(n.high)}); }
THIMBLE_INLINE float ReduceAdd(F a) {
  __m256 b = _mm256_add_ps(a.low, a.high);
  return FoldAdd(_mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1)));
}
THIMBLE_INLINE float ReduceMax(F a) {
  __m256 b = _mm256_max_ps(a.low, a.high);
  return FoldMax(_mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1)));
}
THIMBLE_INLINE F ButterflyOne(F a) {
  const __m256 signs = _mm256_setr_ps(1, -1, 1, -1, 1, -1, 1, -1);
  return Fma(a, {signs, signs}, {_mm256_permute_ps(a.low, 0xB1), _mm256_permute_ps(a.high, 0xB1)});
}
THIMBLE_INLINE F ButterflyTwo(F a) {
  const __m256 signs = _mm256_setr_ps(1, 1, -1, -1, 1, 1, -1, -1);
  return Fma(a, {signs, signs}, {_mm256_permute_ps(a.low, 0x4E), _mm256_permute_ps(a.high, 0x4E)});
}
THIMBLE_INLINE F LoadInt8(const std::int8_t* p) {
  __m128i bytes = LoadBytes(p);
  return {_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes)),
          _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_unpackhi_epi64(bytes, bytes)))};
}
THIMBLE_INLINE F LoadHalf(const std::uint16_t* p) {
  return {_mm256_cvtph_ps(LoadBytes(p)), _mm256_cvtph_ps(LoadBytes(p + 8))};
}

THIMBLE_INLINE F ToFloat(I a) { return {_mm256_cvtepi32_ps(a.low), _mm256_cvtepi32_ps(a.high)}; }
THIMBLE_INLINE I ToInt(F a) { return {_mm256_cvtps_epi32(a.low), _mm256_cvtps_epi32(a.high)}; }
THIMBLE_INLINE I LoadI(const std::int32_t* p) {
  const __m256i* q = reinterpret_cast<const __m256i*>(p);
  return {_mm256_loadu_si256(q), _mm256_loadu_si256(q + 1)};
}
THIMBLE_INLINE void StoreI(std::int32_t* p, I a) {
  __m256i* q = reinterpret_cast<__m256i*>(p);
  _mm256_storeu_si256(q, a.low);
  _mm256_storeu_si256(q + 1, a.high);
}
THIMBLE_INLINE I Zero() { return {_mm256_setzero_si256(), _mm256_setzero_si256()}; }
THIMBLE_INLINE I TimesMinus128(I a) {
  const __m256i zero = _mm256_setzero_si256();
  return {_mm256_sub_epi32(zero, _mm256_slli_epi32(a.low, 7)), _mm256_sub_epi32(zero, _mm256_slli_epi32(a.high, 7))};
}
// The packs saturate, so lanes are cut to their low byte first; they work on halves, so the order is mended after.
THIMBLE_INLINE __m128i LowBytes(I a) {
  const __m256i mask = _mm256_set1_epi32(255);
  __m256i words = _mm256_packus_epi32(_mm256_and_si256(a.low, mask), _mm256_and_si256(a.high, mask));
  words = _mm256_permute4x64_epi64(words, 0xD8);
  return _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
}

THIMBLE_INLINE I LoadLine(const void* p) {
  const __m256i* q = static_cast<const __m256i*>(p);
  return {_mm256_load_si256(q), _mm256_load_si256(q + 1)};
}
THIMBLE_INLINE void StoreLine(void* p, I a) {
  __m256i* q = static_cast<__m256i*>(p);
  _mm256_store_si256(q, a.low);
  _mm256_store_si256(q + 1, a.high);
}
// One broadcast, in every lane: four codes, or a pair of them widened to 16 bits.
using Quad = __m256i;
THIMBLE_INLINE Quad LoadQuad(const void* p) { return _mm256_set1_epi32(LoadAs<std::int32_t>(p)); }
