// Dot products of NEON with the i8mm extension: products of unsigned with signed bytes, and of 2x8 with 8x2 matrices of
// them. See vector_scalar-inl.h for what each operation computes.

struct Line {
  int8x16_t v[4];
};
using Quad = uint8x16_t;

// 24 accumulators, each of two rows and two outputs, 3 registers of activations and 4 of weights, of 32.
inline constexpr bool kSigned = false;
inline constexpr std::size_t kTileRows = 6;
inline constexpr std::size_t kTileStrips = 1;
inline constexpr std::size_t kAttentionRows = 6;
inline constexpr std::size_t kAttentionStrips = 1;

THIMBLE_INLINE Line LoadLine(const std::int8_t* p) {
  return {{vld1q_s8(p), vld1q_s8(p + 16), vld1q_s8(p + 32), vld1q_s8(p + 48)}};
}
THIMBLE_INLINE void StoreLine(std::int8_t* p, const Line& a) {
  for (int i = 0; i < 4; ++i) vst1q_s8(p + 16 * i, a.v[i]);
}
THIMBLE_INLINE Quad LoadQuad(const std::uint8_t* p) {
  std::uint32_t quad;
  __builtin_memcpy(&quad, p, 4);
  return vreinterpretq_u8_u32(vdupq_n_u32(quad));
}
THIMBLE_INLINE I Dot4(I acc, Quad a, const Line& w) {
  return MapI([&](int i) { return vusdotq_s32(acc.v[i], a, w.v[i]); });
}

inline constexpr std::size_t kProductInputs = 8;

template <std::size_t kHeight, std::size_t kWidth, bool kFirst>
THIMBLE_INLINE void AddProducts(const Lines& w, const std::uint8_t* a, std::size_t a_stride, std::size_t inputs,
                                I (&acc)[kHeight][kWidth]) {
  constexpr std::size_t kPairs = (kHeight + 1) / 2;  // The last row of an odd number is taken twice.
  int32x4_t sum[kPairs][kWidth][8];
  THIMBLE_UNROLL
  for (std::size_t s = 0; s < 8 * kPairs * kWidth; ++s) {
    sum[s / 8 / kWidth][s / 8 % kWidth][s % 8] = vdupq_n_s32(0);
  }
  const std::int8_t* line = w.first;
  for (const std::uint8_t* end = a + inputs; a != end; a += 8, line += 2 * w.step) {
    if constexpr (kFirst) {
      THIMBLE_UNROLL
      for (std::size_t j = 0; j < 2 * kWidth; ++j) Prefetch(line + kWidth * w.strip + j / 2 * w.strip + j % 2 * w.step);
    }
    uint8x16_t rows[kPairs];
    THIMBLE_UNROLL
    for (std::size_t p = 0; p < kPairs; ++p) {
      const std::size_t second = 2 * p + 1 < kHeight ? 2 * p + 1 : 2 * p;
      rows[p] = vcombine_u8(vld1_u8(a + 2 * p * a_stride), vld1_u8(a + second * a_stride));
    }
    THIMBLE_UNROLL
    for (std::size_t j = 0; j < kWidth; ++j) {
      THIMBLE_UNROLL
      for (std::size_t n = 0; n < 4; ++n) {
        // Of four outputs the inputs 0 to 3 and 4 to 7: two by two outputs with all eight.
        const std::int8_t* quads = line + j * w.strip + 16 * n;
        int32x4_t first = vreinterpretq_s32_s8(vld1q_s8(quads)), last = vreinterpretq_s32_s8(vld1q_s8(quads + w.step));
        int8x16_t low = vreinterpretq_s8_s32(vzip1q_s32(first, last));
        int8x16_t high = vreinterpretq_s8_s32(vzip2q_s32(first, last));
        // GCC 14 would first load all weights of a step, for which there are not enough registers.
        asm volatile("" ::: "memory");
        THIMBLE_UNROLL
        for (std::size_t p = 0; p < kPairs; ++p) {
          sum[p][j][2 * n] = vusmmlaq_s32(sum[p][j][2 * n], rows[p], low);
          sum[p][j][2 * n + 1] = vusmmlaq_s32(sum[p][j][2 * n + 1], rows[p], high);
        }
      }
    }
  }
  THIMBLE_UNROLL
  for (std::size_t i = 0; i < kHeight; ++i) {
    THIMBLE_UNROLL
    for (std::size_t s = 0; s < 4 * kWidth; ++s) {
      const int32x4_t* two = &sum[i / 2][s / 4][s % 4 * 2];
      int64x2_t low = vreinterpretq_s64_s32(two[0]), high = vreinterpretq_s64_s32(two[1]);
      int32x4_t row = vreinterpretq_s32_s64(i % 2 == 0 ? vzip1q_s64(low, high) : vzip2q_s64(low, high));
      acc[i][s / 4].v[s % 4] = vaddq_s32(acc[i][s / 4].v[s % 4], row);
    }
  }
}
