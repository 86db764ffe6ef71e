// Products of SSE4.1, as in dot_avx2-inl.h.

using Quad = __m128i;

// 8 accumulators, 4 registers of weights, 1 of activations and temporaries, of 16.
inline constexpr bool kSigned = false;
inline constexpr std::size_t kTileRows = 2;
inline constexpr std::size_t kFloatTileRows = 2;
inline constexpr std::size_t kTileStrips = 1;

THIMBLE_INLINE Quad LoadQuad(const void* p) { return _mm_set1_epi32(LoadAs<std::int32_t>(p)); }
// Pair kPair of codes, in all lanes, by one instruction.
template <std::size_t kPair>
THIMBLE_INLINE Quad LoadPair(const std::int16_t* p) {
  Quad pair;
  asm("pshufd %2, %1, %0" : "=x"(pair) : "m"(*reinterpret_cast<const __m128i*>(p)), "i"(0x55 * kPair));
  return pair;
}
THIMBLE_INLINE __m128i AddLanes(__m128i a, __m128i b) {
  asm("paddd %1, %0" : "+x"(a) : "x"(b));
  return a;
}
THIMBLE_INLINE __m128i AddWords(__m128i a, __m128i b) {
  asm("paddw %1, %0" : "+x"(a) : "x"(b));
  return a;
}
THIMBLE_INLINE I AddPair(I acc, Quad a, const I& w) {
  return MapI([&](int i) { return AddLanes(acc.v[i], _mm_madd_epi16(a, w.v[i])); });
}
// The multipliers of a group stay in memory: four registers would be too many.
using Multipliers = const std::int16_t*;
THIMBLE_INLINE Multipliers LoadMultipliers(const std::int16_t* p) { return p; }
THIMBLE_INLINE __m128i AddPairs(__m128i acc, __m128i a, const std::int16_t* p) {
  asm("pmaddwd %2, %1\n\tpaddd %1, %0" : "+x"(acc), "+x"(a) : "m"(*reinterpret_cast<const __m128i*>(p)));
  return acc;
}
THIMBLE_INLINE I AddPairs(I acc, const I& a, Multipliers p) {
  return MapI([&](int i) { return AddPairs(acc.v[i], a.v[i], p + 8 * i); });
}
THIMBLE_INLINE I MultiplyBytes(Quad a, const I& w) {
  return MapI([&](int i) { return _mm_maddubs_epi16(a, w.v[i]); });
}
THIMBLE_INLINE I AddWords(I a, const I& b) {
  return MapI([&](int i) { return AddWords(a.v[i], b.v[i]); });
}

THIMBLE_INLINE I LoadLine(const void* p) {
  return MapI([=](int i) { return _mm_load_si128(static_cast<const __m128i*>(p) + i); });
}
// Words: all but the last quarter in registers. Compilers would read each from memory once for every row, and those
// loads would take longer than the products.
THIMBLE_INLINE I LoadLine(const std::int16_t* p) {
  return MapI([=](int i) {
    __m128i words = _mm_load_si128(reinterpret_cast<const __m128i*>(p) + i);
    if (i < 3) asm("" : "+x"(words));
    return words;
  });
}
THIMBLE_INLINE void StoreLine(void* p, const I& a) {
  for (int i = 0; i < 4; ++i) _mm_store_si128(static_cast<__m128i*>(p) + i, a.v[i]);
}
template <int kPair>
THIMBLE_INLINE I WidenPair(const I& a) {
  return MapI(
      [&](int i) { return kPair == 1 ? _mm_srai_epi16(a.v[i], 8) : _mm_maddubs_epi16(_mm_set1_epi16(1), a.v[i]); });
}
THIMBLE_INLINE void WidenCodes(const std::uint8_t* p, std::int16_t* out) {
  const __m128i codes = InOrderOfPairs(LoadBytes(p)), zero = _mm_setzero_si128();
  _mm_store_si128(reinterpret_cast<__m128i*>(out), _mm_unpacklo_epi8(codes, zero));
  _mm_store_si128(reinterpret_cast<__m128i*>(out + 8), _mm_unpackhi_epi8(codes, zero));
}

template <WeightFormat kFormat, std::size_t kLine>
THIMBLE_INLINE I SignedCodes(const std::uint8_t* bundle) {
  return MapI([=](int i) {
    const __m128i codes = LoadCodeLine<kFormat, kLine>(bundle + 16 * i);
    return kCentre<kFormat> == 0 ? codes : _mm_sub_epi8(codes, _mm_set1_epi8(kCentre<kFormat>));
  });
}
template <WeightFormat kFormat>
THIMBLE_INLINE I Rests(const Levels& first, const Levels& second) {
  const auto rest = [](__m128i multipliers, __m128i offsets) {
    const __m128i offset = _mm_and_si128(offsets, _mm_set1_epi16(255));
    if constexpr (kCentre<kFormat> == 0) return _mm_sub_epi16(_mm_setzero_si128(), offset);
    return _mm_sub_epi16(_mm_slli_epi16(multipliers, std::countr_zero(unsigned{kCentre<kFormat>})), offset);
  };
  return MapI([&](int i) {
    return _mm_blend_epi16(rest(first.multipliers.v[i], first.offsets.v[i]),
                           rest(second.multipliers.v[i], second.offsets.v[i]), 0xAA);
  });
}
