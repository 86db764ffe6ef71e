// The vector operations in plain C++: the reference that every other instruction set must equal.
//
// F is 16 floats, I 16 int32, Line 16 outputs of 4 int8 weights, Quad 4 uint8 activations.

struct F {
  float v[16];
};
struct I {
  std::int32_t v[16];
};
struct Line {
  std::int8_t weights[64];
};
struct Quad {
  std::uint8_t v[4];
};

// Whether Dot4 takes 128 from each activation, so that it multiplies signed bytes.
inline constexpr bool kSigned = false;
inline constexpr std::size_t kTileRows = 1;    // Rows of a matrix product done together.
inline constexpr std::size_t kTileStrips = 1;  // Strips of 16 outputs done together.

template <typename Op>
THIMBLE_INLINE F Map(Op op) {
  F r;
  for (int i = 0; i < 16; ++i) r.v[i] = op(i);
  return r;
}

THIMBLE_INLINE F Load(const float* p) {
  return Map([=](int i) { return p[i]; });
}
THIMBLE_INLINE void Store(float* p, F a) {
  for (int i = 0; i < 16; ++i) p[i] = a.v[i];
}
THIMBLE_INLINE F Set(float x) {
  return Map([=](int) { return x; });
}
THIMBLE_INLINE F Add(F a, F b) {
  return Map([&](int i) { return a.v[i] + b.v[i]; });
}
THIMBLE_INLINE F Sub(F a, F b) {
  return Map([&](int i) { return a.v[i] - b.v[i]; });
}
THIMBLE_INLINE F Mul(F a, F b) {
  return Map([&](int i) { return a.v[i] * b.v[i]; });
}
THIMBLE_INLINE F Div(F a, F b) {
  return Map([&](int i) { return a.v[i] / b.v[i]; });
}
// a b + c, rounded once.
THIMBLE_INLINE F Fma(F a, F b, F c) {
  return Map([&](int i) { return std::fma(a.v[i], b.v[i], c.v[i]); });
}
// The same of operands with which rounding the sum to double first changes no bit, as where a b is a float.
THIMBLE_INLINE F FmaThroughDouble(F a, F b, F c) { return Fma(a, b, c); }
THIMBLE_INLINE F Max(F a, F b) {
  return Map([&](int i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
THIMBLE_INLINE F Min(F a, F b) {
  return Map([&](int i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
THIMBLE_INLINE F Abs(F a) {
  return Map([&](int i) { return std::fabs(a.v[i]); });
}
// negative where x < 0 or x is -0, else other.
THIMBLE_INLINE F SelectNegative(F x, F negative, F other) {
  return Map([&](int i) { return std::signbit(x.v[i]) ? negative.v[i] : other.v[i]; });
}
// table[the low four bits of each lane]; `table` is 64-byte aligned.
THIMBLE_INLINE F LookUp(const float* table, F bits) {
  return Map([&](int i) { return table[std::bit_cast<std::uint32_t>(bits.v[i]) & 15]; });
}
// Nearest integer, halves to even; |a| < 2^22.
THIMBLE_INLINE F RoundEven(F a) {
  return Map([&](int i) { return std::nearbyint(a.v[i]); });
}
// Nearest integer, halves to even; -2^31 for what is not within int32, as x86 has it.
THIMBLE_INLINE std::int32_t ToInt(float x) {
  return x >= -0x1p31f && x < 0x1p31f ? static_cast<std::int32_t>(std::nearbyint(x)) : INT32_MIN;
}
// x 2^n for integral n in [-126, 127].
THIMBLE_INLINE F ScaleByPowerOfTwo(F x, F n) {
  return Map([&](int i) { return x.v[i] * std::bit_cast<float>((static_cast<std::int32_t>(n.v[i]) + 127) << 23); });
}
THIMBLE_INLINE float ReduceAdd(F a) {
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) a.v[i] += a.v[i + half];
  }
  return a.v[0];
}
THIMBLE_INLINE float ReduceMax(F a) {
  for (int half = 8; half > 0; half /= 2) {
    for (int i = 0; i < half; ++i) a.v[i] = a.v[i] > a.v[i + half] ? a.v[i] : a.v[i + half];
  }
  return a.v[0];
}
// Lanes 2i and 2i + 1 become their sum and difference.
THIMBLE_INLINE F ButterflyOne(F a) {
  return Map([&](int i) { return i & 1 ? a.v[i - 1] - a.v[i] : a.v[i] + a.v[i + 1]; });
}
// Lanes i and i + 2 of each four likewise.
THIMBLE_INLINE F ButterflyTwo(F a) {
  return Map([&](int i) { return i & 2 ? a.v[i - 2] - a.v[i] : a.v[i] + a.v[i + 2]; });
}
THIMBLE_INLINE F LoadInt8(const std::int8_t* p) {
  return Map([=](int i) { return static_cast<float>(p[i]); });
}
THIMBLE_INLINE F LoadHalf(const std::uint16_t* p) {
  return Map([=](int i) { return HalfToFloat(p[i]); });
}

THIMBLE_INLINE F ToFloat(I a) {
  return Map([&](int i) { return static_cast<float>(a.v[i]); });
}
// The same for lanes.
THIMBLE_INLINE I ToInt(F a) {
  I r;
  for (int i = 0; i < 16; ++i) r.v[i] = ToInt(a.v[i]);
  return r;
}
THIMBLE_INLINE I LoadI(const std::int32_t* p) {
  I r;
  for (int i = 0; i < 16; ++i) r.v[i] = p[i];
  return r;
}
THIMBLE_INLINE void StoreI(std::int32_t* p, I a) {
  for (int i = 0; i < 16; ++i) p[i] = a.v[i];
}
THIMBLE_INLINE I Zero() { return I{}; }
THIMBLE_INLINE I AddLanes(I a, I b) {
  for (int i = 0; i < 16; ++i) a.v[i] += b.v[i];
  return a;
}
THIMBLE_INLINE I TimesMinus128(I a) {
  for (int i = 0; i < 16; ++i) a.v[i] *= -128;
  return a;
}
// The low byte of each lane.
THIMBLE_INLINE void StoreBytes(void* p, I a) {
  for (int i = 0; i < 16; ++i) static_cast<std::uint8_t*>(p)[i] = static_cast<std::uint8_t>(a.v[i]);
}
// The low byte of each lane plus 128.
THIMBLE_INLINE void StoreBytesOffset(std::uint8_t* p, I a) {
  for (int i = 0; i < 16; ++i) p[i] = static_cast<std::uint8_t>(a.v[i] + 128);
}

THIMBLE_INLINE Line LoadLine(const std::int8_t* p) {
  Line line;
  std::memcpy(line.weights, p, sizeof line.weights);
  return line;
}
THIMBLE_INLINE void StoreLine(std::int8_t* p, const Line& a) { std::memcpy(p, a.weights, sizeof a.weights); }
THIMBLE_INLINE Quad LoadQuad(const std::uint8_t* p) { return {{p[0], p[1], p[2], p[3]}}; }
// acc[n] + sum_i a[i] w[n][i] (of signed ones, (a[i] - 128) w[n][i]), modulo 2^32: exact for honest files, defined for
// others.
THIMBLE_INLINE I Dot4(I acc, Quad a, const Line& w) {
  for (int n = 0; n < 16; ++n) {
    std::int32_t sum = 0;
    for (int i = 0; i < 4; ++i) sum += a.v[i] * w.weights[4 * n + i];
    acc.v[n] = static_cast<std::int32_t>(static_cast<std::uint32_t>(acc.v[n]) + static_cast<std::uint32_t>(sum));
  }
  return acc;
}
// The low bytes of four rows as 16 columns of 4.
THIMBLE_INLINE void StoreColumns(const I (&rows)[4], std::int8_t* p) {
  for (int i = 0; i < 64; ++i) p[i] = static_cast<std::int8_t>(rows[i % 4].v[i / 4]);
}
// The low bytes of four rows as quads: quad j of row i goes to p + 64 j + 4 i.
THIMBLE_INLINE void StoreQuads(const I (&rows)[4], std::int8_t* p) {
  for (int i = 0; i < 64; ++i)
    p[64 * (i % 16 / 4) + 4 * (i / 16) + i % 4] = static_cast<std::int8_t>(rows[i / 16].v[i % 16]);
}

#include "kernels/bundle-inl.h"

// The integers of a group of 16 outputs.
struct Levels {
  std::uint8_t multipliers[16], offsets[16];
};
template <WeightFormat kFormat, bool kCrowded>
THIMBLE_INLINE Levels LoadLevels(const std::uint8_t* group) {
  Levels levels;
  for (std::size_t n = 0; n < 16; ++n) {
    levels.multipliers[n] = static_cast<std::uint8_t>(kLevels<kFormat>.Multiplier(group + kStrip, n));
    levels.offsets[n] = group[n];
  }
  return levels;
}
// Line kLine of a bundle as multiplier * code - offset.
template <WeightFormat kFormat, std::size_t kLine, bool kCrowded>
THIMBLE_INLINE Line UnpackLine(const std::uint8_t* bundle, const Levels& levels) {
  Line line;
  for (std::size_t i = 0; i < 64; ++i) {
    const int code = kLine < kLevels<kFormat>.stored_lines() ? kLevels<kFormat>.StoredCode(bundle[64 * kLine + i])
                                                             : kLevels<kFormat>.LastCode(bundle + i, 64);
    line.weights[i] = static_cast<std::int8_t>(levels.multipliers[i / 4] * code - levels.offsets[i / 4]);
  }
  return line;
}
THIMBLE_INLINE void Prefetch(const void*) {}
