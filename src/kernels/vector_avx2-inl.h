// The vector operations in AVX2 with FMA and F16C. See vector_scalar-inl.h for what each computes.

struct F {
  __m256 low, high;
};
struct I {
  __m256i low, high;
};
// Weights widened to 16 bits: of each output the inputs 0 and 2 (even) and 1 and 3 (odd), so that a multiply-add of
// pairs is exact, which the byte form (it saturates) is not.
struct Line {
  __m256i even_low, odd_low, even_high, odd_high;
};
struct Quad {
  __m256i even, odd;
};

// 6 accumulators, 4 registers of weights, 2 of activations and temporaries, of 16.
inline constexpr std::size_t kTileRows = 3;
inline constexpr std::size_t kTileStrips = 1;
inline constexpr std::size_t kAttentionRows = 3;
inline constexpr std::size_t kAttentionStrips = 1;

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
THIMBLE_INLINE F Max(F a, F b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
THIMBLE_INLINE F Min(F a, F b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
THIMBLE_INLINE F Abs(F a) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(sign, a.low), _mm256_andnot_ps(sign, a.high)};
}
THIMBLE_INLINE F SelectNegative(F x, F negative, F other) {
  return {_mm256_blendv_ps(other.low, negative.low, x.low), _mm256_blendv_ps(other.high, negative.high, x.high)};
}
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
THIMBLE_INLINE void StoreBytes(void* p, I a) { _mm_storeu_si128(static_cast<__m128i*>(p), LowBytes(a)); }
THIMBLE_INLINE void StoreBytesOffset(std::uint8_t* p, I a) {
  __m128i bytes = _mm_xor_si128(LowBytes(a), _mm_set1_epi8(static_cast<char>(0x80)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}

THIMBLE_INLINE Line WidenLine(__m256i low, __m256i high) {
  return {_mm256_srai_epi16(_mm256_slli_epi16(low, 8), 8), _mm256_srai_epi16(low, 8),
          _mm256_srai_epi16(_mm256_slli_epi16(high, 8), 8), _mm256_srai_epi16(high, 8)};
}
THIMBLE_INLINE Line LoadLine(const std::int8_t* p) {
  const __m256i* q = reinterpret_cast<const __m256i*>(p);
  return WidenLine(_mm256_load_si256(q), _mm256_load_si256(q + 1));
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

// The integers of a group: of output n its multiplier in the 16-bit words, and its offset in the bytes, of lane n.
struct Levels {
  I multipliers, offsets;
};
template <int kBits, bool kCrowded>
THIMBLE_INLINE Levels LoadLevels(const std::uint8_t* group) {
  // The bits of multiplier n begin at bit n multiplier_bits: the byte, and the place within it.
  constexpr int kMultiplierBits = kBits == 4 ? kQ4Levels.multiplier_bits : kQ6Levels.multiplier_bits;
  constexpr int kInByte = 8 / kMultiplierBits;
  const __m256i packed = _mm256_broadcastsi128_si256(PackedMultipliers<kBits>(group));
  const __m256i offsets = _mm256_broadcastsi128_si256(LoadBytes(group));
  Levels levels;
  THIMBLE_UNROLL
  for (int half = 0; half < 2; ++half) {
    const __m256i lanes = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(8 * half));
    const __m256i bytes = _mm256_srli_epi32(lanes, kInByte == 2 ? 1 : 2);
    const __m256i shifts =
        _mm256_slli_epi32(_mm256_and_si256(lanes, _mm256_set1_epi32(kInByte - 1)), kMultiplierBits == 4 ? 2 : 1);
    __m256i multipliers = _mm256_srlv_epi32(_mm256_shuffle_epi8(packed, bytes), shifts);
    multipliers = _mm256_and_si256(multipliers, _mm256_set1_epi32((1 << kMultiplierBits) - 1));
    multipliers = _mm256_add_epi32(multipliers, _mm256_set1_epi32(1));
    multipliers = _mm256_or_si256(multipliers, _mm256_slli_epi32(multipliers, 16));
    const __m256i quads = _mm256_mullo_epi32(lanes, _mm256_set1_epi32(0x01010101));
    (half == 0 ? levels.multipliers.low : levels.multipliers.high) = multipliers;
    (half == 0 ? levels.offsets.low : levels.offsets.high) = _mm256_shuffle_epi8(offsets, quads);
  }
  return levels;
}
THIMBLE_INLINE __m256i LoadHalfLine(const std::uint8_t* p) {
  return _mm256_load_si256(reinterpret_cast<const __m256i*>(p));
}
// Half of line kLine of a bundle: two lines of 4-bit codes in 64 bytes, or four of 6-bit codes in 192.
template <int kBits, std::size_t kLine>
THIMBLE_INLINE __m256i LoadCodeLine(const std::uint8_t* bundle) {
  if constexpr (kBits == 4) {
    __m256i pair = LoadHalfLine(bundle);
    if constexpr (kLine == 1) pair = _mm256_srli_epi16(pair, 4);
    return _mm256_and_si256(pair, _mm256_set1_epi8(15));
  } else if constexpr (kLine < 3) {
    return _mm256_and_si256(LoadHalfLine(bundle + 64 * kLine), _mm256_set1_epi8(63));
  } else {
    __m256i low = _mm256_and_si256(_mm256_srli_epi16(LoadHalfLine(bundle), 6), _mm256_set1_epi8(3));
    __m256i middle = _mm256_and_si256(_mm256_srli_epi16(LoadHalfLine(bundle + 64), 4), _mm256_set1_epi8(12));
    __m256i high = _mm256_and_si256(_mm256_srli_epi16(LoadHalfLine(bundle + 128), 2), _mm256_set1_epi8(48));
    return _mm256_or_si256(_mm256_or_si256(low, middle), high);
  }
}
// A code times a multiplier stays below 256, so that one 16-bit product holds those of two neighbouring codes.
template <int kBits, std::size_t kLine, bool kCrowded>
THIMBLE_INLINE Line UnpackLine(const std::uint8_t* bundle, const Levels& levels) {
  __m256i low = _mm256_mullo_epi16(LoadCodeLine<kBits, kLine>(bundle), levels.multipliers.low);
  __m256i high = _mm256_mullo_epi16(LoadCodeLine<kBits, kLine>(bundle + 32), levels.multipliers.high);
  return WidenLine(_mm256_sub_epi8(low, levels.offsets.low), _mm256_sub_epi8(high, levels.offsets.high));
}
