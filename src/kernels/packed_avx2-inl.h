// Unpacking of codes in AVX2. See vector_scalar-inl.h for what each operation computes.

using Piece = __m256i;
THIMBLE_INLINE Piece LoadPiece(const std::uint8_t* p) { return _mm256_load_si256(reinterpret_cast<const Piece*>(p)); }
// Of each byte bits [kFrom, kFrom + kCount), moved to kTo on; kTo <= kFrom.
template <int kFrom, int kCount, int kTo>
THIMBLE_INLINE Piece MoveBits(Piece v) {
  if constexpr (kFrom != kTo) v = _mm256_srli_epi16(v, kFrom - kTo);
  return _mm256_and_si256(v, _mm256_set1_epi8(((1 << kCount) - 1) << kTo));
}
THIMBLE_INLINE Piece Or(Piece a, Piece b) { return _mm256_or_si256(a, b); }

#include "kernels/code_lines-inl.h"

// The integers of a group: of output n its multiplier in the 16-bit words, and its offset in the bytes, of lane n.
struct Levels {
  I multipliers, offsets;
};
template <WeightFormat kFormat, bool kCrowded>
THIMBLE_INLINE Levels LoadLevels(const std::uint8_t* group) {
  // The bits of multiplier n begin at bit n multiplier_bits: the byte, and the place within it.
  constexpr int kMultiplierBits = kLevels<kFormat>.multiplier_bits;
  constexpr unsigned kInByte = 8 / kMultiplierBits;
  const __m256i packed = _mm256_broadcastsi128_si256(PackedMultipliers<kFormat>(group));
  const __m256i offsets = _mm256_broadcastsi128_si256(LoadBytes(group));
  Levels levels;
  THIMBLE_UNROLL
  for (int half = 0; half < 2; ++half) {
    const __m256i lanes = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(8 * half));
    const __m256i bytes = _mm256_srli_epi32(lanes, std::countr_zero(kInByte));
    const __m256i shifts = _mm256_slli_epi32(_mm256_and_si256(lanes, _mm256_set1_epi32(kInByte - 1)),
                                             std::countr_zero(unsigned{kMultiplierBits}));
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
// A code times a multiplier stays below 256, so that one 16-bit product holds those of two neighbouring codes.
template <WeightFormat kFormat, std::size_t kLine, bool kCrowded>
THIMBLE_INLINE I UnpackLine(const std::uint8_t* bundle, const Levels& levels) {
  __m256i low = _mm256_mullo_epi16(LoadCodeLine<kFormat, kLine>(bundle), levels.multipliers.low);
  __m256i high = _mm256_mullo_epi16(LoadCodeLine<kFormat, kLine>(bundle + 32), levels.multipliers.high);
  return {_mm256_sub_epi8(low, levels.offsets.low), _mm256_sub_epi8(high, levels.offsets.high)};
}
