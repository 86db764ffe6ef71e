// Unpacking of codes in AVX-512. See vector_scalar-inl.h for what each operation computes.

#include "kernels/bundle-inl.h"

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
template <WeightFormat kFormat>
struct MultiplierConstants {
  static constexpr int kWidth = kLevels<kFormat>.multiplier_bits;
  Constant byte = MakeConstant<1>([](int n) { return n * kWidth / 8; });
  Constant shift = MakeConstant<2>([](int n) { return n * kWidth % 8; });
  Constant mask = MakeConstant<2>([](int) { return (1 << kWidth) - 1; });
  Constant one = MakeConstant<2>([](int) { return 1; });
  Constant lane = MakeConstant<1>([](int n) { return n; });
};
template <WeightFormat kFormat>
inline constexpr MultiplierConstants<kFormat> kMultiplierConstants;

template <WeightFormat kFormat, bool kCrowded>
THIMBLE_INLINE Levels LoadLevels(const std::uint8_t* group) {
  const MultiplierConstants<kFormat>* c = &kMultiplierConstants<kFormat>;
  if constexpr (kCrowded) asm volatile("" : "+r"(c));
  __m512i packed = _mm512_broadcast_i32x4(PackedMultipliers<kFormat>(group));
  packed = _mm512_srlv_epi16(_mm512_shuffle_epi8(packed, LoadConstant(c->byte)), LoadConstant(c->shift));
  packed = _mm512_add_epi16(_mm512_and_si512(packed, LoadConstant(c->mask)), LoadConstant(c->one));
  return {packed, _mm512_shuffle_epi8(_mm512_broadcast_i32x4(LoadBytes(group)), LoadConstant(c->lane))};
}
// The bits of codes of the last line that stored lines before kStored hold, with those of kStored.
template <WeightFormat kFormat, std::size_t kStored, bool kCrowded>
THIMBLE_INLINE __m512i AddSpare(__m512i code, const std::uint8_t* bundle) {
  constexpr int kBefore = kLevels<kFormat>.spare_bits() * static_cast<int>(kStored);
  const __m512i stored = _mm512_load_si512(bundle + 64 * kStored);
  return Select<kCrowded>(kEveryByte<(1 << kBefore) - 1>, code,
                          _mm512_srli_epi16(stored, kLevels<kFormat>.bits - kBefore));
}
// Line kLine of a bundle.
template <WeightFormat kFormat, std::size_t kLine, bool kCrowded>
THIMBLE_INLINE __m512i LoadCodeLine(const std::uint8_t* bundle) {
  constexpr TwoLevel kForm = kLevels<kFormat>;
  constexpr std::size_t kStored = kForm.stored_lines();
  __m512i code;
  if constexpr (kCrowded && kStored == 1) {
    // Loaded twice, and spelled out so that it is: it would not stay in a register.
    const __m512i& stored = *reinterpret_cast<const __m512i*>(bundle);
    if constexpr (kLine == 0) {
      asm("vmovdqa64 %1, %0" : "=v"(code) : "m"(stored));
    } else {
      asm("vpsrlw %2, %1, %0" : "=v"(code) : "m"(stored), "i"(kForm.bits));
    }
  } else if constexpr (kLine < kStored) {
    code = _mm512_load_si512(bundle + 64 * kLine);
  } else {
    code = _mm512_srli_epi16(_mm512_load_si512(bundle), kForm.bits);
    ForEachIndex<kStored - 1>([&]<std::size_t kIndex>()
                                  THIMBLE_LAMBDA { code = AddSpare<kFormat, kIndex + 1, kCrowded>(code, bundle); });
  }
  return And<kCrowded>(code, kEveryByte<kForm.largest_code()>);
}
// A code times a multiplier stays below 256, so that one 16-bit product holds those of two neighbouring codes.
template <WeightFormat kFormat, std::size_t kLine, bool kCrowded>
THIMBLE_INLINE __m512i UnpackLine(const std::uint8_t* bundle, const Levels& levels) {
  __m512i line = LoadCodeLine<kFormat, kLine, kCrowded>(bundle);
  if constexpr (!kCrowded) {
    return _mm512_sub_epi8(_mm512_mullo_epi16(line, levels.multipliers), levels.offsets);
  }
  asm("vpmullw %1, %0, %0" : "+v"(line) : "m"(levels.multipliers));
  asm("vpsubb %1, %0, %0" : "+v"(line) : "m"(levels.offsets));
  return line;
}
