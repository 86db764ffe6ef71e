// The vector operations in SSE4.1, but for the dot product, which dot_sse41-inl.h defines. See vector_scalar-inl.h for
// what each computes.

using QuarterF = __m128;
using QuarterI = __m128i;
#include "kernels/quarters-inl.h"

THIMBLE_INLINE F Load(const float* p) {
  return Map([=](int i) { return _mm_loadu_ps(p + 4 * i); });
}
THIMBLE_INLINE void Store(float* p, F a) {
  for (int i = 0; i < 4; ++i) _mm_storeu_ps(p + 4 * i, a.v[i]);
}
THIMBLE_INLINE F Set(float x) {
  return Map([=](int) { return _mm_set1_ps(x); });
}
// Four lanes in double.
struct Wide {
  __m128d low, high;
};
THIMBLE_INLINE Wide Widen(__m128 a) { return {_mm_cvtps_pd(a), _mm_cvtps_pd(_mm_movehl_ps(a, a))}; }
THIMBLE_INLINE __m128 Narrow(Wide a) { return _mm_movelh_ps(_mm_cvtpd_ps(a.low), _mm_cvtpd_ps(a.high)); }
// a b + c, rounded to double: products of floats are exact there.
THIMBLE_INLINE Wide SumInDouble(__m128 a, __m128 b, __m128 c) {
  const Wide x = Widen(a), y = Widen(b), z = Widen(c);
  return {_mm_add_pd(_mm_mul_pd(x.low, y.low), z.low), _mm_add_pd(_mm_mul_pd(x.high, y.high), z.high)};
}
THIMBLE_INLINE F FmaThroughDouble(F a, F b, F c) {
  return Map([&](int i) { return Narrow(SumInDouble(a.v[i], b.v[i], c.v[i])); });
}

// Two lanes of a b + c, rounded to odd in double and then to float, which gives the float next to the exact sum because
// double has more than two bits to spare.
THIMBLE_INLINE __m128 FmaThroughOdd(__m128 a, __m128 b, __m128 c) {
  __m128d product = _mm_mul_pd(_mm_cvtps_pd(a), _mm_cvtps_pd(b)), wide = _mm_cvtps_pd(c);
  __m128d sum = _mm_add_pd(product, wide);
  // What the sum lost, exactly (Knuth's two-sum).
  __m128d part = _mm_sub_pd(sum, product);
  __m128d lost = _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(sum, part)), _mm_sub_pd(wide, part));
  // To odd: towards zero, then the last bit is set. Nothing is lost where `lost` is 0 or NaN.
  __m128d magnitude = _mm_andnot_pd(_mm_set1_pd(-0.0), lost);
  __m128d inexact = _mm_cmplt_pd(_mm_setzero_pd(), magnitude);
  __m128d too_far = _mm_blendv_pd(_mm_setzero_pd(), inexact, _mm_xor_pd(lost, sum));
  __m128i bits = _mm_add_epi64(_mm_castpd_si128(sum), _mm_castpd_si128(too_far));
  bits = _mm_or_si128(bits, _mm_srli_epi64(_mm_castpd_si128(inexact), 63));
  return _mm_cvtpd_ps(_mm_castsi128_pd(bits));
}
__attribute__((noinline, cold)) inline F FmaThroughOdd(F a, F b, F c) {
  for (int i = 0; i < 4; ++i) {
    const __m128 high =
        FmaThroughOdd(_mm_movehl_ps(a.v[i], a.v[i]), _mm_movehl_ps(b.v[i], b.v[i]), _mm_movehl_ps(c.v[i], c.v[i]));
    a.v[i] = _mm_movelh_ps(FmaThroughOdd(a.v[i], b.v[i], c.v[i]), high);
  }
  return a;
}
// Rounding to double before rounding to float does harm only where it gives the middle between two floats. The last 28
// bits of a middle, as of a float, an infinity or a NaN, are zeros, and of few other sums.
THIMBLE_INLINE F Fma(F a, F b, F c) {
  __m128i least = _mm_set1_epi32(-1);
  const F sum = Map([&](int i) {
    const Wide wide = SumInDouble(a.v[i], b.v[i], c.v[i]);
    const __m128 words = _mm_shuffle_ps(_mm_castpd_ps(wide.low), _mm_castpd_ps(wide.high), 0x88);
    least = _mm_min_epu32(least, _mm_slli_epi32(_mm_castps_si128(words), 4));
    return Narrow(wide);
  });
  const int zeros = _mm_movemask_epi8(_mm_cmpeq_epi32(least, _mm_setzero_si128()));
  if (__builtin_expect(zeros != 0, 0)) return FmaThroughOdd(a, b, c);
  return sum;
}
THIMBLE_INLINE F Max(F a, F b) {
  return Map([&](int i) { return _mm_max_ps(a.v[i], b.v[i]); });
}
THIMBLE_INLINE F Min(F a, F b) {
  return Map([&](int i) { return _mm_min_ps(a.v[i], b.v[i]); });
}
THIMBLE_INLINE F Abs(F a) {
  return Map([&](int i) { return _mm_andnot_ps(_mm_set1_ps(-0.0f), a.v[i]); });
}
THIMBLE_INLINE F SelectNegative(F x, F negative, F other) {
  return Map([&](int i) { return _mm_blendv_ps(other.v[i], negative.v[i], x.v[i]); });
}
// Byte kByte of each entry of a table; compilers know it, as they know the table.
template <int kByte>
THIMBLE_INLINE __m128i TableBytes(const float* table) {
  const auto byte = [=](int n) THIMBLE_LAMBDA {
    return static_cast<char>(std::bit_cast<std::uint32_t>(table[n]) >> (8 * kByte));
  };
  return _mm_setr_epi8(byte(0), byte(1), byte(2), byte(3), byte(4), byte(5), byte(6), byte(7), byte(8), byte(9),
                       byte(10), byte(11), byte(12), byte(13), byte(14), byte(15));
}
THIMBLE_INLINE F LookUp(const float* table, F bits) {
  const I low = MapI([&](int i) { return _mm_and_si128(_mm_castps_si128(bits.v[i]), _mm_set1_epi32(15)); });
  const __m128i lanes = _mm_packus_epi16(_mm_packus_epi32(low.v[0], low.v[1]), _mm_packus_epi32(low.v[2], low.v[3]));
  const __m128i bytes[4] = {
      _mm_shuffle_epi8(TableBytes<0>(table), lanes), _mm_shuffle_epi8(TableBytes<1>(table), lanes),
      _mm_shuffle_epi8(TableBytes<2>(table), lanes), _mm_shuffle_epi8(TableBytes<3>(table), lanes)};
  const __m128i ends[2] = {_mm_unpacklo_epi8(bytes[0], bytes[1]), _mm_unpackhi_epi8(bytes[0], bytes[1])};
  const __m128i tops[2] = {_mm_unpacklo_epi8(bytes[2], bytes[3]), _mm_unpackhi_epi8(bytes[2], bytes[3])};
  return Map([&](int i) {
    return _mm_castsi128_ps(i % 2 == 0 ? _mm_unpacklo_epi16(ends[i / 2], tops[i / 2])
                                       : _mm_unpackhi_epi16(ends[i / 2], tops[i / 2]));
  });
}
THIMBLE_INLINE F RoundEven(F a) {
  return Map([&](int i) { return _mm_round_ps(a.v[i], _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); });
}
THIMBLE_INLINE F ScaleByPowerOfTwo(F x, F n) {
  return Map([&](int i) {
    __m128i exponent = _mm_add_epi32(_mm_cvtps_epi32(n.v[i]), _mm_set1_epi32(127));
    return _mm_mul_ps(x.v[i], _mm_castsi128_ps(_mm_slli_epi32(exponent, 23)));
  });
}
THIMBLE_INLINE float ReduceAdd(F a) {
  return FoldAdd(_mm_add_ps(_mm_add_ps(a.v[0], a.v[2]), _mm_add_ps(a.v[1], a.v[3])));
}
THIMBLE_INLINE float ReduceMax(F a) {
  return FoldMax(_mm_max_ps(_mm_max_ps(a.v[0], a.v[2]), _mm_max_ps(a.v[1], a.v[3])));
}
// Changing a sign is exact.
THIMBLE_INLINE F ButterflyOne(F a) {
  const __m128 signs = _mm_setr_ps(0.0f, -0.0f, 0.0f, -0.0f);
  return Map([&](int i) { return _mm_add_ps(_mm_xor_ps(a.v[i], signs), _mm_shuffle_ps(a.v[i], a.v[i], 0xB1)); });
}
THIMBLE_INLINE F ButterflyTwo(F a) {
  const __m128 signs = _mm_setr_ps(0.0f, 0.0f, -0.0f, -0.0f);
  return Map([&](int i) { return _mm_add_ps(_mm_xor_ps(a.v[i], signs), _mm_shuffle_ps(a.v[i], a.v[i], 0x4E)); });
}
THIMBLE_INLINE F LoadInt8(const std::int8_t* p) {
  return Map(
      [=](int i) { return _mm_cvtepi32_ps(_mm_cvtepi8_epi32(_mm_cvtsi32_si128(LoadAs<std::int32_t>(p + 4 * i)))); });
}
THIMBLE_INLINE F LoadHalf(const std::uint16_t* p) {
  return Map([=](int i) {
    __m128i half = _mm_cvtepu16_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p + 4 * i)));
    __m128i sign = _mm_slli_epi32(_mm_and_si128(half, _mm_set1_epi32(0x8000)), 16);
    __m128i magnitude = _mm_and_si128(half, _mm_set1_epi32(0x7fff));
    // In place, the exponent is short by 112, subnormals too; infinity and NaN have the largest one.
    __m128 value = _mm_mul_ps(_mm_castsi128_ps(_mm_slli_epi32(magnitude, 13)), _mm_set1_ps(0x1p112f));
    __m128i special = _mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x7bff));
    __m128i bits = _mm_or_si128(_mm_castps_si128(value), _mm_and_si128(special, _mm_set1_epi32(0x7f800000)));
    return _mm_castsi128_ps(_mm_or_si128(bits, sign));
  });
}

THIMBLE_INLINE F ToFloat(I a) {
  return Map([&](int i) { return _mm_cvtepi32_ps(a.v[i]); });
}
THIMBLE_INLINE I ToInt(F a) {
  return MapI([&](int i) { return _mm_cvtps_epi32(a.v[i]); });
}
THIMBLE_INLINE I LoadI(const std::int32_t* p) {
  return MapI([=](int i) { return LoadBytes(p + 4 * i); });
}
THIMBLE_INLINE void StoreI(std::int32_t* p, I a) {
  for (int i = 0; i < 4; ++i) _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 4 * i), a.v[i]);
}
THIMBLE_INLINE I Zero() {
  return MapI([](int) { return _mm_setzero_si128(); });
}
THIMBLE_INLINE I TimesMinus128(I a) {
  return MapI([&](int i) { return _mm_sub_epi32(_mm_setzero_si128(), _mm_slli_epi32(a.v[i], 7)); });
}
// The packs saturate, so lanes are cut to their low byte first.
THIMBLE_INLINE __m128i LowBytes(I a) {
  I low = MapI([&](int i) { return _mm_and_si128(a.v[i], _mm_set1_epi32(255)); });
  return _mm_packus_epi16(_mm_packus_epi32(low.v[0], low.v[1]), _mm_packus_epi32(low.v[2], low.v[3]));
}
