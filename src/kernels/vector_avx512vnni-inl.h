// The vector operations in AVX-512 (F, BW, VL, DQ) with VNNI. See vector_scalar-inl.h for what each computes.

using F = __m512;
using I = __m512i;
using Line = __m512i;
using Quad = __m512i;

// 24 accumulators, 3 weight lines and 1 broadcast of the 32 registers; two dot products a cycle need at least 8 in
// flight.
inline constexpr std::size_t kTileRows = 8;
inline constexpr std::size_t kTileStrips = 3;
inline constexpr std::size_t kAttentionRows = 8;
inline constexpr std::size_t kAttentionStrips = 2;

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

THIMBLE_INLINE Line LoadLine(const std::int8_t* p) { return _mm512_load_si512(p); }
THIMBLE_INLINE void StoreLine(std::int8_t* p, Line a) { _mm512_store_si512(p, a); }
THIMBLE_INLINE Quad LoadQuad(const std::uint8_t* p) { return _mm512_set1_epi32(LoadAs<std::int32_t>(p)); }
// The instruction is spelled out because gcc 12 spills the accumulators of the intrinsic: 0.4 of peak instead of 0.9.
THIMBLE_INLINE I Dot4(I acc, Quad a, Line w) {
  asm("vpdpbusd %2, %1, %0" : "+v"(acc) : "v"(a), "v"(w));
  return acc;
}

// Everything below runs between dot products. Where their accumulators fill the registers (kCrowded) constants are
// operands in memory, which gcc is kept from loading once and for all: it would put accumulators on the stack instead.
// In small tiles registers are better, because a cycle has one load of 64 bytes.
struct alignas(64) Constant {
  std::uint8_t bytes[64];
};
// f(n) in every kStride-th byte of lane n.
template <int kStride, typename Function>
constexpr Constant MakeConstant(Function f) {
  Constant c = {};
  for (int i = 0; i < 64; i += kStride) c.bytes[i] = static_cast<std::uint8_t>(f(i / 4));
  return c;
}
template <int kValue>
inline constexpr Constant kEveryByte = MakeConstant<1>([](int) { return kValue; });

THIMBLE_INLINE __m512i LoadConstant(const Constant& c) { return _mm512_load_si512(c.bytes); }
template <bool kCrowded>
THIMBLE_INLINE __m512i And(__m512i a, const Constant& mask) {
  if constexpr (!kCrowded) return _mm512_and_si512(a, LoadConstant(mask));
  asm("vpandd %1, %0, %0" : "+v"(a) : "m"(mask));
  return a;
}
// Where the mask has ones a, else b.
template <bool kCrowded>
THIMBLE_INLINE __m512i Select(const Constant& mask, __m512i a, __m512i b) {
  if constexpr (!kCrowded) return _mm512_ternarylogic_epi32(a, b, LoadConstant(mask), 0xE4);
  asm("vpternlogd $0xe4, %2, %1, %0" : "+v"(a) : "v"(b), "m"(mask));
  return a;
}

// The integers of a group: of output n its multiplier in the 16-bit words, and its offset in the bytes, of lane n.
struct Levels {
  __m512i multipliers, offsets;
};
// What takes multiplier n to lane n: its byte, its place in that byte, its bits, and what was taken off.
template <int kBits>
struct MultiplierConstants {
  static constexpr int kWidth = kBits == 4 ? kQ4Levels.multiplier_bits : kQ6Levels.multiplier_bits;
  Constant byte = MakeConstant<1>([](int n) { return n * kWidth / 8; });
  Constant shift = MakeConstant<2>([](int n) { return n * kWidth % 8; });
  Constant mask = MakeConstant<2>([](int) { return (1 << kWidth) - 1; });
  Constant one = MakeConstant<2>([](int) { return 1; });
  Constant lane = MakeConstant<1>([](int n) { return n; });
};
template <int kBits>
inline constexpr MultiplierConstants<kBits> kMultiplierConstants;

template <int kBits, bool kCrowded>
THIMBLE_INLINE Levels LoadLevels(const std::uint8_t* group) {
  const MultiplierConstants<kBits>* c = &kMultiplierConstants<kBits>;
  if constexpr (kCrowded) asm volatile("" : "+r"(c));
  __m512i packed = _mm512_broadcast_i32x4(PackedMultipliers<kBits>(group));
  packed = _mm512_srlv_epi16(_mm512_shuffle_epi8(packed, LoadConstant(c->byte)), LoadConstant(c->shift));
  packed = _mm512_add_epi16(_mm512_and_si512(packed, LoadConstant(c->mask)), LoadConstant(c->one));
  return {packed, _mm512_shuffle_epi8(_mm512_broadcast_i32x4(LoadBytes(group)), LoadConstant(c->lane))};
}
// Line kLine of a bundle: two lines of 4-bit codes in 64 bytes, or four of 6-bit codes in 192.
template <int kBits, std::size_t kLine, bool kCrowded>
THIMBLE_INLINE __m512i LoadCodeLine(const std::uint8_t* bundle) {
  if constexpr (kBits == 4) {
    const __m512i& stored = *reinterpret_cast<const __m512i*>(bundle);
    __m512i pair;
    if constexpr (!kCrowded) {
      pair = kLine == 0 ? stored : _mm512_srli_epi16(stored, 4);
    } else if constexpr (kLine == 0) {  // Loaded twice, and spelled out so that it is: it would not stay in a register.
      asm("vmovdqa64 %1, %0" : "=v"(pair) : "m"(stored));
    } else {
      asm("vpsrlw $4, %1, %0" : "=v"(pair) : "m"(stored));
    }
    return And<kCrowded>(pair, kEveryByte<15>);
  } else if constexpr (kLine < 3) {
    return And<kCrowded>(_mm512_load_si512(bundle + 64 * kLine), kEveryByte<63>);
  } else {
    __m512i low = _mm512_srli_epi16(_mm512_load_si512(bundle), 6);
    low = Select<kCrowded>(kEveryByte<3>, low, _mm512_srli_epi16(_mm512_load_si512(bundle + 64), 4));
    low = Select<kCrowded>(kEveryByte<15>, low, _mm512_srli_epi16(_mm512_load_si512(bundle + 128), 2));
    return And<kCrowded>(low, kEveryByte<63>);
  }
}
// A code times a multiplier stays below 256, so that one 16-bit product holds those of two neighbouring codes.
template <int kBits, std::size_t kLine, bool kCrowded>
THIMBLE_INLINE Line UnpackLine(const std::uint8_t* bundle, const Levels& levels) {
  __m512i line = LoadCodeLine<kBits, kLine, kCrowded>(bundle);
  if constexpr (!kCrowded) {
    return _mm512_sub_epi8(_mm512_mullo_epi16(line, levels.multipliers), levels.offsets);
  }
  asm("vpmullw %1, %0, %0" : "+v"(line) : "m"(levels.multipliers));
  asm("vpsubb %1, %0, %0" : "+v"(line) : "m"(levels.offsets));
  return line;
}
