// Products of AVX-512 without VNNI, as in dot_avx2-inl.h.

// 8 accumulators, 2 registers of weights, 1 of activations and temporaries, of 32. Two strips share a broadcast: Zen 4
// loads 512 bits once a cycle. There would be registers for twice the rows, which takes more code.
inline constexpr bool kSigned = false;
inline constexpr std::size_t kTileRows = 4;
inline constexpr std::size_t kFloatTileRows = 4;
inline constexpr std::size_t kTileStrips = 2;

THIMBLE_INLINE I AddWords(I a, I b) {
  asm("vpaddw %1, %0, %0" : "+v"(a) : "v"(b));
  return a;
}
THIMBLE_INLINE I AddPair(I acc, Quad a, I w) { return AddLanes(acc, _mm512_madd_epi16(a, w)); }
using Multipliers = I;
THIMBLE_INLINE Multipliers LoadMultipliers(const std::int16_t* p) { return _mm512_load_si512(p); }
THIMBLE_INLINE I AddPairs(I acc, I a, Multipliers m) { return AddPair(acc, a, m); }
THIMBLE_INLINE I MultiplyBytes(Quad a, I w) { return _mm512_maddubs_epi16(a, w); }

// Pair kPair of codes, in all lanes.
template <std::size_t kPair>
THIMBLE_INLINE Quad LoadPair(const std::int16_t* p) {
  return LoadQuad(p + 2 * kPair);
}

template <int kPair>
THIMBLE_INLINE I WidenPair(I a) {
  if constexpr (kPair == 1) return _mm512_srai_epi16(a, 8);
  return _mm512_maddubs_epi16(_mm512_set1_epi16(1), a);
}
THIMBLE_INLINE void WidenCodes(const std::uint8_t* p, std::int16_t* out) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(out), _mm256_cvtepu8_epi16(InOrderOfPairs(LoadBytes(p))));
}

template <WeightFormat kFormat, std::size_t kLine>
THIMBLE_INLINE I SignedCodes(const std::uint8_t* bundle) {
  const I codes = LoadCodeLine<kFormat, kLine, false>(bundle);
  return kCentre<kFormat> == 0 ? codes : _mm512_sub_epi8(codes, _mm512_set1_epi8(kCentre<kFormat>));
}
template <WeightFormat kFormat>
THIMBLE_INLINE I Rest(const Levels& levels) {
  const I offsets = _mm512_and_si512(levels.offsets, _mm512_set1_epi16(255));
  if constexpr (kCentre<kFormat> == 0) return _mm512_sub_epi16(_mm512_setzero_si512(), offsets);
  return _mm512_sub_epi16(_mm512_slli_epi16(levels.multipliers, std::countr_zero(unsigned{kCentre<kFormat>})), offsets);
}
template <WeightFormat kFormat>
THIMBLE_INLINE I Rests(const Levels& first, const Levels& second) {
  return _mm512_mask_mov_epi16(Rest<kFormat>(first), 0xAAAAAAAA, Rest<kFormat>(second));
}
