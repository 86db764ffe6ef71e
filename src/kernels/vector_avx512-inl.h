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
THIMBLE_INLINE F Max(F a, F b) { return _mm512_max_ps(a, b); }
THIMBLE_INLINE F Min(F a, F b) { return _mm512_min_ps(a, b); }
THIMBLE_INLINE F Abs(F a) { return _mm512_abs_ps(a); }
THIMBLE_INLINE F SelectNegative(F x, F negative, F other) {
  return _mm512_mask_mov_ps(other, _mm512_movepi32_mask(_mm512_castps_si512(x)), negative);
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
THIMBLE_INLINE I TimesMinus128(I a) { return _mm512_sub_epi32(Zero(), _mm512_slli_epi32(a, 7)); }
THIMBLE_INLINE void StoreBytes(void* p, I a) { _mm_storeu_si128(static_cast<__m128i*>(p), _mm512_cvtepi32_epi8(a)); }
THIMBLE_INLINE void StoreBytesOffset(std::uint8_t* p, I a) {
  __m128i bytes = _mm_xor_si128(_mm512_cvtepi32_epi8(a), _mm_set1_epi8(static_cast<char>(0x80)));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
}

// The integers of a group: of output n its multiplier in the 16-bit words, and its offset in the bytes, of lane n.
struct Levels {
  __m512i multipliers, offsets;
};
template <int kBits>
THIMBLE_INLINE Levels LoadLevels(const std::uint8_t* group) {
  // Byte n of 16 to the four bytes of lane n.
  const __m512i lanes =
      _mm512_set_epi32(0x0f0f0f0f, 0x0e0e0e0e, 0x0d0d0d0d, 0x0c0c0c0c, 0x0b0b0b0b, 0x0a0a0a0a, 0x09090909, 0x08080808,
                       0x07070707, 0x06060606, 0x05050505, 0x04040404, 0x03030303, 0x02020202, 0x01010101, 0);
  // The bits of multiplier n begin at bit n multiplier_bits: the byte, and the place within it.
  constexpr int kMultiplierBits = kBits == 4 ? kQ4Levels.multiplier_bits : kQ6Levels.multiplier_bits;
  constexpr int kInByte = 8 / kMultiplierBits;
  const __m512i word_lanes = _mm512_and_si512(lanes, _mm512_set1_epi16(15));
  const __m512i bytes = _mm512_srli_epi16(word_lanes, kInByte == 2 ? 1 : 2);
  const __m512i shifts =
      _mm512_slli_epi16(_mm512_and_si512(word_lanes, _mm512_set1_epi16(kInByte - 1)), kMultiplierBits == 4 ? 2 : 1);
  __m512i packed = _mm512_broadcast_i32x4(PackedMultipliers<kBits>(group));
  packed = _mm512_srlv_epi16(_mm512_shuffle_epi8(packed, bytes), shifts);
  packed = _mm512_and_si512(packed, _mm512_set1_epi16((1 << kMultiplierBits) - 1));
  return {_mm512_add_epi16(packed, _mm512_set1_epi16(1)),
          _mm512_shuffle_epi8(_mm512_broadcast_i32x4(LoadBytes(group)), lanes)};
}
// Line kLine of a bundle: two lines of 4-bit codes in 64 bytes, or four of 6-bit codes in 192.
template <int kBits, std::size_t kLine>
THIMBLE_INLINE __m512i LoadCodeLine(const std::uint8_t* bundle) {
  if constexpr (kBits == 4) {
    __m512i pair = _mm512_load_si512(bundle);
    if constexpr (kLine == 1) pair = _mm512_srli_epi16(pair, 4);
    return _mm512_and_si512(pair, _mm512_set1_epi8(15));
  } else if constexpr (kLine < 3) {
    return _mm512_and_si512(_mm512_load_si512(bundle + 64 * kLine), _mm512_set1_epi8(63));
  } else {
    constexpr int kSelect = 0xCA;  // Where the first operand has ones the second, else the third.
    __m512i low = _mm512_srli_epi16(_mm512_load_si512(bundle), 6);
    __m512i middle = _mm512_srli_epi16(_mm512_load_si512(bundle + 64), 4);
    __m512i high = _mm512_srli_epi16(_mm512_load_si512(bundle + 128), 2);
    low = _mm512_ternarylogic_epi32(_mm512_set1_epi8(3), low, middle, kSelect);
    low = _mm512_ternarylogic_epi32(_mm512_set1_epi8(15), low, high, kSelect);
    return _mm512_and_si512(low, _mm512_set1_epi8(63));
  }
}
// A code times a multiplier stays below 256, so that one 16-bit product holds those of two neighbouring codes.
template <int kBits, std::size_t kLine>
THIMBLE_INLINE __m512i UnpackLine(const std::uint8_t* bundle, const Levels& levels) {
  return _mm512_sub_epi8(_mm512_mullo_epi16(LoadCodeLine<kBits, kLine>(bundle), levels.multipliers), levels.offsets);
}
template <int kBits>
THIMBLE_INLINE void UnpackGroup(const std::uint8_t* codes, const std::uint8_t* group, std::int8_t* lines) {
  const Levels levels = LoadLevels<kBits>(group);
  for (std::size_t j = 0; j < 4; ++j) {
    if constexpr (kBits == 4) {
      _mm512_store_si512(lines, UnpackLine<4, 0>(codes, levels));
      _mm512_store_si512(lines + 64, UnpackLine<4, 1>(codes, levels));
      codes += 64;
      lines += 128;
    } else {
      _mm512_store_si512(lines, UnpackLine<6, 0>(codes, levels));
      _mm512_store_si512(lines + 64, UnpackLine<6, 1>(codes, levels));
      _mm512_store_si512(lines + 128, UnpackLine<6, 2>(codes, levels));
      _mm512_store_si512(lines + 192, UnpackLine<6, 3>(codes, levels));
      codes += 192;
      lines += 256;
    }
  }
}
