// Unpacking of 6 and 4 bits in AVX-512. See vector_scalar-inl.h for what each operation computes.

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
// A code times a multiplier stays below 256, so that one 16-bit product holds those of two neighbouring codes. The
// instructions are spelled out because gcc would load `levels` into registers that the accumulators need.
template <int kBits, std::size_t kLine>
THIMBLE_INLINE Line UnpackLine(const std::uint8_t* bundle, const Levels& levels) {
  __m512i line = LoadCodeLine<kBits, kLine>(bundle);
  asm("vpmullw %1, %0, %0" : "+v"(line) : "m"(levels.multipliers));
  asm("vpsubb %1, %0, %0" : "+v"(line) : "m"(levels.offsets));
  return ToLine(line);
}
