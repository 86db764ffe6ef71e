// Products of AVX2: of pairs of 16-bit numbers, which are exact for bytes of any value, and of bytes with the codes of
// q6 and q4, whose sums of two fit into 16 bits.

// 8 accumulators, 2 registers of weights, 1 of activations and temporaries, of 16. Of float, 12 accumulators: two fused
// multiply-adds a cycle leave no time for more loads.
inline constexpr bool kSigned = false;
inline constexpr std::size_t kTileRows = 4;
inline constexpr std::size_t kFloatTileRows = 6;
inline constexpr std::size_t kTileStrips = 1;

// Additions are spelled out because gcc 12 reorders those of the intrinsics: it multiplies first, for which there are
// not enough registers.
THIMBLE_INLINE __m256i AddLanes(__m256i a, __m256i b) {
  asm("vpaddd %1, %0, %0" : "+x"(a) : "x"(b));
  return a;
}
THIMBLE_INLINE __m256i AddWords(__m256i a, __m256i b) {
  asm("vpaddw %1, %0, %0" : "+x"(a) : "x"(b));
  return a;
}
// acc[n] + the product of two pairs of words, those of a and of lane n of w.
THIMBLE_INLINE I AddPair(I acc, Quad a, I w) {
  return {AddLanes(acc.low, _mm256_madd_epi16(a, w.low)), AddLanes(acc.high, _mm256_madd_epi16(a, w.high))};
}
// The multipliers of a group stay in registers: two loads a cycle are few beside three sums.
using Multipliers = I;
THIMBLE_INLINE Multipliers LoadMultipliers(const std::int16_t* p) { return LoadLine(p); }
// acc + the products of pairs of words, in one piece, so that a sum of q6 does not wait for them in a register.
THIMBLE_INLINE __m256i AddPairs(__m256i acc, __m256i a, __m256i b) {
  asm("vpmaddwd %2, %1, %1\n\tvpaddd %1, %0, %0" : "+x"(acc), "+x"(a) : "x"(b));
  return acc;
}
THIMBLE_INLINE I AddPairs(I acc, I a, const Multipliers& b) {
  return {AddPairs(acc.low, a.low, b.low), AddPairs(acc.high, a.high, b.high)};
}
// Of each lane two words: the sums of two products of the unsigned bytes of a with the signed bytes of w.
THIMBLE_INLINE I MultiplyBytes(Quad a, I w) {
  return {_mm256_maddubs_epi16(a, w.low), _mm256_maddubs_epi16(a, w.high)};
}
THIMBLE_INLINE I AddWords(I a, I b) { return {AddWords(a.low, b.low), AddWords(a.high, b.high)}; }

// Pair kPair of codes, in all lanes.
template <std::size_t kPair>
THIMBLE_INLINE Quad LoadPair(const std::int16_t* p) {
  return LoadQuad(p + 2 * kPair);
}

// The signed bytes kPair and kPair + 2 of each lane as words, by one instruction: those at even places as products with
// 1, beside which those at odd places are products with 0.
template <int kPair>
THIMBLE_INLINE __m256i WidenPair(__m256i a) {
  if constexpr (kPair == 1) return _mm256_srai_epi16(a, 8);
  return _mm256_maddubs_epi16(_mm256_set1_epi16(1), a);
}
template <int kPair>
THIMBLE_INLINE I WidenPair(I a) {
  return {WidenPair<kPair>(a.low), WidenPair<kPair>(a.high)};
}
// 16 unsigned bytes as words, those of each four in the order of the pairs.
THIMBLE_INLINE void WidenCodes(const std::uint8_t* p, std::int16_t* out) {
  _mm256_store_si256(reinterpret_cast<__m256i*>(out), _mm256_cvtepu8_epi16(InOrderOfPairs(LoadBytes(p))));
}

// Line kLine of a bundle as bytes that MultiplyBytes takes.
template <WeightFormat kFormat, std::size_t kLine>
THIMBLE_INLINE I SignedCodes(const std::uint8_t* bundle) {
  const I codes = {LoadCodeLine<kFormat, kLine>(bundle), LoadCodeLine<kFormat, kLine>(bundle + 32)};
  if constexpr (kCentre<kFormat> == 0) return codes;
  const __m256i centre = _mm256_set1_epi8(kCentre<kFormat>);
  return {_mm256_sub_epi8(codes.low, centre), _mm256_sub_epi8(codes.high, centre)};
}
// What a weight is beside its multiplier times its signed code, for two groups: words 0 and 1 of each lane.
template <WeightFormat kFormat>
THIMBLE_INLINE __m256i Rest(__m256i multipliers, __m256i offsets) {
  const __m256i offset = _mm256_and_si256(offsets, _mm256_set1_epi16(255));
  if constexpr (kCentre<kFormat> == 0) return _mm256_sub_epi16(_mm256_setzero_si256(), offset);
  return _mm256_sub_epi16(_mm256_slli_epi16(multipliers, std::countr_zero(unsigned{kCentre<kFormat>})), offset);
}
template <WeightFormat kFormat>
THIMBLE_INLINE I Rests(const Levels& first, const Levels& second) {
  return {_mm256_blend_epi16(Rest<kFormat>(first.multipliers.low, first.offsets.low),
                             Rest<kFormat>(second.multipliers.low, second.offsets.low), 0xAA),
          _mm256_blend_epi16(Rest<kFormat>(first.multipliers.high, first.offsets.high),
                             Rest<kFormat>(second.multipliers.high, second.offsets.high), 0xAA)};
}
