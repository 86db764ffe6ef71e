// The vector operations in NEON, of every 64-bit ARM, but for the dot product, which dot_*-inl.h defines. See
// vector_scalar-inl.h for what each computes.

using QuarterF = float32x4_t;
using QuarterI = int32x4_t;
#include "kernels/quarters-inl.h"
struct Line {
  int8x16_t v[4];
};

THIMBLE_INLINE F Load(const float* p) {
  return Map([=](int i) { return vld1q_f32(p + 4 * i); });
}
THIMBLE_INLINE void Store(float* p, F a) {
  for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, a.v[i]);
}
// What is not a constant stays a scalar: compilers would load it to all lanes, which takes the ports of products, and
// products by a lane do not need it.
THIMBLE_INLINE F Set(float x) {
  if (!__builtin_constant_p(x)) asm("" : "+w"(x));
  return Map([=](int) { return vdupq_n_f32(x); });
}
THIMBLE_INLINE F Fma(F a, F b, F c) {
  return Map([&](int i) { return vfmaq_f32(c.v[i], a.v[i], b.v[i]); });
}
THIMBLE_INLINE F FmaThroughDouble(F a, F b, F c) { return Fma(a, b, c); }
// Not the instructions for it, which differ from those of x86 in NaNs and signed zeros.
THIMBLE_INLINE float32x4_t Larger(float32x4_t a, float32x4_t b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
THIMBLE_INLINE float32x4_t Smaller(float32x4_t a, float32x4_t b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
THIMBLE_INLINE F Max(F a, F b) {
  return Map([&](int i) { return Larger(a.v[i], b.v[i]); });
}
THIMBLE_INLINE F Min(F a, F b) {
  return Map([&](int i) { return Smaller(a.v[i], b.v[i]); });
}
THIMBLE_INLINE F Abs(F a) {
  return Map([&](int i) { return vabsq_f32(a.v[i]); });
}
THIMBLE_INLINE F SelectNegative(F x, F negative, F other) {
  return Map([&](int i) {
    uint32x4_t sign = vreinterpretq_u32_s32(vshrq_n_s32(vreinterpretq_s32_f32(x.v[i]), 31));
    return vbslq_f32(sign, negative.v[i], other.v[i]);
  });
}
THIMBLE_INLINE F LookUp(const float* table, F bits) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(table);
  const uint8x16x4_t entries = {{vld1q_u8(bytes), vld1q_u8(bytes + 16), vld1q_u8(bytes + 32), vld1q_u8(bytes + 48)}};
  return Map([&](int i) {
    // The four bytes of entry n are at 4n and behind.
    const uint32x4_t index = vandq_u32(vreinterpretq_u32_f32(bits.v[i]), vdupq_n_u32(15));
    const uint32x4_t places = vmlaq_n_u32(vdupq_n_u32(0x03020100), index, 0x04040404);
    return vreinterpretq_f32_u8(vqtbl4q_u8(entries, vreinterpretq_u8_u32(places)));
  });
}
THIMBLE_INLINE F RoundEven(F a) {
  return Map([&](int i) { return vrndnq_f32(a.v[i]); });
}
THIMBLE_INLINE F ScaleByPowerOfTwo(F x, F n) {
  return Map([&](int i) {
    int32x4_t exponent = vaddq_s32(vcvtnq_s32_f32(n.v[i]), vdupq_n_s32(127));
    return vmulq_f32(x.v[i], vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23)));
  });
}
THIMBLE_INLINE float ReduceAdd(F a) {
  float32x4_t b = vaddq_f32(vaddq_f32(a.v[0], a.v[2]), vaddq_f32(a.v[1], a.v[3]));
  return vpadds_f32(vadd_f32(vget_low_f32(b), vget_high_f32(b)));
}
THIMBLE_INLINE float ReduceMax(F a) {
  float32x4_t b = Larger(Larger(a.v[0], a.v[2]), Larger(a.v[1], a.v[3]));
  b = Larger(b, vextq_f32(b, b, 2));
  return vgetq_lane_f32(Larger(b, vrev64q_f32(b)), 0);
}
THIMBLE_INLINE F ButterflyOne(F a) {
  const float32x4_t signs = {1, -1, 1, -1};
  return Map([&](int i) { return vfmaq_f32(vrev64q_f32(a.v[i]), a.v[i], signs); });
}
THIMBLE_INLINE F ButterflyTwo(F a) {
  const float32x4_t signs = {1, 1, -1, -1};
  return Map([&](int i) { return vfmaq_f32(vextq_f32(a.v[i], a.v[i], 2), a.v[i], signs); });
}
THIMBLE_INLINE F LoadInt8(const std::int8_t* p) {
  int8x16_t bytes = vld1q_s8(p);
  int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_high_s8(bytes);
  return {{vcvtq_f32_s32(vmovl_s16(vget_low_s16(low))), vcvtq_f32_s32(vmovl_high_s16(low)),
           vcvtq_f32_s32(vmovl_s16(vget_low_s16(high))), vcvtq_f32_s32(vmovl_high_s16(high))}};
}
THIMBLE_INLINE F LoadHalf(const std::uint16_t* p) {
  return Map([=](int i) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i))); });
}

THIMBLE_INLINE F ToFloat(I a) {
  return Map([&](int i) { return vcvtq_f32_s32(a.v[i]); });
}
// The conversion saturates; too large a value has to become INT32_MIN. NaN becomes 0, whose low byte is the same.
THIMBLE_INLINE I ToInt(F a) {
  return MapI([&](int i) {
    int32x4_t n = vcvtnq_s32_f32(a.v[i]);
    return vsubq_s32(n, vreinterpretq_s32_u32(vceqq_s32(n, vdupq_n_s32(INT32_MAX))));
  });
}
THIMBLE_INLINE I LoadI(const std::int32_t* p) {
  return MapI([=](int i) { return vld1q_s32(p + 4 * i); });
}
THIMBLE_INLINE void StoreI(std::int32_t* p, I a) {
  for (int i = 0; i < 4; ++i) vst1q_s32(p + 4 * i, a.v[i]);
}
THIMBLE_INLINE I Zero() {
  return MapI([](int) { return vdupq_n_s32(0); });
}
THIMBLE_INLINE I TimesMinus128(I a) {
  return MapI([&](int i) { return vnegq_s32(vshlq_n_s32(a.v[i], 7)); });
}
THIMBLE_INLINE uint8x16_t LowBytes(I a) {
  uint16x8_t low = vuzp1q_u16(vreinterpretq_u16_s32(a.v[0]), vreinterpretq_u16_s32(a.v[1]));
  uint16x8_t high = vuzp1q_u16(vreinterpretq_u16_s32(a.v[2]), vreinterpretq_u16_s32(a.v[3]));
  return vuzp1q_u8(vreinterpretq_u8_u16(low), vreinterpretq_u8_u16(high));
}
THIMBLE_INLINE void StoreBytes(void* p, I a) { vst1q_u8(static_cast<std::uint8_t*>(p), LowBytes(a)); }
THIMBLE_INLINE void StoreBytesOffset(std::uint8_t* p, I a) { vst1q_u8(p, veorq_u8(LowBytes(a), vdupq_n_u8(0x80))); }

THIMBLE_INLINE void StoreColumns(const I (&rows)[4], std::int8_t* p) {
  auto row = [&](int i) { return vreinterpretq_s8_u8(LowBytes(rows[i])); };
  const int8x16x4_t columns = {{row(0), row(1), row(2), row(3)}};
  vst4q_s8(p, columns);  // A macro in clang.
}
THIMBLE_INLINE void StoreQuads(const I (&rows)[4], std::int8_t* p) {
  auto row = [&](int i) { return vreinterpretq_s32_u8(LowBytes(rows[i])); };
  int32x4_t r0 = row(0), r1 = row(1), r2 = row(2), r3 = row(3);
  int32x4_t low02 = vzip1q_s32(r0, r2), high02 = vzip2q_s32(r0, r2);
  int32x4_t low13 = vzip1q_s32(r1, r3), high13 = vzip2q_s32(r1, r3);
  auto store = [=](std::size_t j, int32x4_t quad) { vst1q_s8(p + 64 * j, vreinterpretq_s8_s32(quad)); };
  store(0, vzip1q_s32(low02, low13));
  store(1, vzip2q_s32(low02, low13));
  store(2, vzip1q_s32(high02, high13));
  store(3, vzip2q_s32(high02, high13));
}
THIMBLE_INLINE Line LoadLine(const std::int8_t* p) {
  return {{vld1q_s8(p), vld1q_s8(p + 16), vld1q_s8(p + 32), vld1q_s8(p + 48)}};
}
THIMBLE_INLINE void StoreLine(std::int8_t* p, const Line& a) {
  for (int i = 0; i < 4; ++i) vst1q_s8(p + 16 * i, a.v[i]);
}
// To the second-level cache.
THIMBLE_INLINE void Prefetch(const void* p) { __builtin_prefetch(p, 0, 2); }
