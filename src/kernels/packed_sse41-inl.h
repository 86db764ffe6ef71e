// Unpacking of codes in SSE4.1. See vector_scalar-inl.h for what each operation computes.

using Piece = __m128i;
THIMBLE_INLINE Piece LoadPiece(const std::uint8_t* p) { return LoadBytes(p); }
// Of each byte bits [kFrom, kFrom + kCount), moved to kTo on; kTo <= kFrom.
template <int kFrom, int kCount, int kTo>
THIMBLE_INLINE Piece MoveBits(Piece v) {
  if constexpr (kFrom != kTo) v = _mm_srli_epi16(v, kFrom - kTo);
  return _mm_and_si128(v, _mm_set1_epi8(((1 << kCount) - 1) << kTo));
}
THIMBLE_INLINE Piece Or(Piece a, Piece b) { return _mm_or_si128(a, b); }

#include "kernels/code_lines-inl.h"

// The integers of a group: of output n its multiplier in the 16-bit words, and its offset in the bytes, of lane n.
struct Levels {
  I multipliers, offsets;
};
template <WeightFormat kFormat, bool kCrowded>
THIMBLE_INLINE Levels LoadLevels(const std::uint8_t* group) {
  constexpr int kMultiplierBits = kLevels<kFormat>.multiplier_bits;
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
