// Unpacking of 6 and 4 bits in SSE4.1. See vector_scalar-inl.h for what each operation computes.

// The integers of a group: of output n its multiplier in the 16-bit words, and its offset in the bytes, of lane n.
struct Levels {
  I multipliers, offsets;
};
template <int kBits, bool kCrowded>
THIMBLE_INLINE Levels LoadLevels(const std::uint8_t* group) {
  constexpr int kMultiplierBits = kBits == 4 ? kQ4Levels.multiplier_bits : kQ6Levels.multiplier_bits;
  // A product moves the bits of a multiplier to the top of its words.
  constexpr short kOne = 1 << (16 - 4 * kMultiplierBits);
  constexpr short kTwo = kOne << kMultiplierBits, kThree = kTwo << kMultiplierBits;
  constexpr short kFour = static_cast<short>(kThree << kMultiplierBits);
  const __m128i factors = _mm_setr_epi16(kFour, kFour, kThree, kThree, kTwo, kTwo, kOne, kOne);
  const __m128i lanes = _mm_setr_epi8(0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3);
  I multipliers = MapI([=](int i) {
    std::uint16_t packed = 0;
    __builtin_memcpy(&packed, group + kStrip + kMultiplierBits * i / 2, kMultiplierBits / 2);
    __m128i words = _mm_mullo_epi16(_mm_set1_epi16(static_cast<short>(packed)), factors);
    return _mm_add_epi16(_mm_srli_epi16(words, 16 - kMultiplierBits), _mm_set1_epi16(1));
  });
  I offsets =
      MapI([=](int i) { return _mm_shuffle_epi8(_mm_cvtsi32_si128(LoadAs<std::int32_t>(group + 4 * i)), lanes); });
  return {multipliers, offsets};
}
// A quarter of line kLine of a bundle: two lines of 4-bit codes in 64 bytes, or four of 6-bit codes in 192.
template <int kBits, std::size_t kLine>
THIMBLE_INLINE __m128i LoadCodeLine(const std::uint8_t* bundle) {
  if constexpr (kBits == 4) {
    __m128i pair = LoadBytes(bundle);
    if constexpr (kLine == 1) pair = _mm_srli_epi16(pair, 4);
    return _mm_and_si128(pair, _mm_set1_epi8(15));
  } else if constexpr (kLine < 3) {
    return _mm_and_si128(LoadBytes(bundle + 64 * kLine), _mm_set1_epi8(63));
  } else {
    __m128i low = _mm_and_si128(_mm_srli_epi16(LoadBytes(bundle), 6), _mm_set1_epi8(3));
    __m128i middle = _mm_and_si128(_mm_srli_epi16(LoadBytes(bundle + 64), 4), _mm_set1_epi8(12));
    __m128i high = _mm_and_si128(_mm_srli_epi16(LoadBytes(bundle + 128), 2), _mm_set1_epi8(48));
    return _mm_or_si128(_mm_or_si128(low, middle), high);
  }
}
