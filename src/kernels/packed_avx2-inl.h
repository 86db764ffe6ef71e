// Unpacking of 6 and 4 bits in AVX2. See vector_scalar-inl.h for what each operation computes.

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
THIMBLE_INLINE I UnpackLine(const std::uint8_t* bundle, const Levels& levels) {
  __m256i low = _mm256_mullo_epi16(LoadCodeLine<kBits, kLine>(bundle), levels.multipliers.low);
  __m256i high = _mm256_mullo_epi16(LoadCodeLine<kBits, kLine>(bundle + 32), levels.multipliers.high);
  return {_mm256_sub_epi8(low, levels.offsets.low), _mm256_sub_epi8(high, levels.offsets.high)};
}
