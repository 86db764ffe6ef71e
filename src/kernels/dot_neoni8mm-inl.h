// Dot products of NEON with the i8mm extension: products of unsigned with signed bytes, and of 2x8 with 8x2 matrices of
// them. See vector_scalar-inl.h for what each operation computes.

using Quad = uint8x16_t;

// 24 accumulators, each of two rows and two outputs, 3 registers of activations and 4 of weights, of 32.
inline constexpr bool kSigned = false;
inline constexpr std::size_t kTileRows = 6;
inline constexpr std::size_t kTileStrips = 1;

THIMBLE_INLINE Quad LoadQuad(const std::uint8_t* p) {
  std::uint32_t quad;
  __builtin_memcpy(&quad, p, 4);
  return vreinterpretq_u8_u32(vdupq_n_u32(quad));
}
THIMBLE_INLINE I Dot4(I acc, Quad a, const Line& w) {
  return MapI([&](int i) { return vusdotq_s32(acc.v[i], a, w.v[i]); });
}

// Of four outputs their inputs 0 to 3 and 4 to 7: two by two outputs with all eight.
THIMBLE_INLINE void PairQuads(int8x16_t first, int8x16_t last, int8x16_t& low, int8x16_t& high) {
  const int32x4_t a = vreinterpretq_s32_s8(first), b = vreinterpretq_s32_s8(last);
  low = vreinterpretq_s8_s32(vzip1q_s32(a, b));
  high = vreinterpretq_s8_s32(vzip2q_s32(a, b));
}
// Two lines as AddMatrices takes them with kPaired.
THIMBLE_INLINE void StorePairs(std::int8_t* p, const Line& first, const Line& last) {
  for (std::size_t n = 0; n < 4; ++n) {
    int8x16_t low, high;
    PairQuads(first.v[n], last.v[n], low, high);
    vst1q_s8(p + 32 * n, low);
    vst1q_s8(p + 32 * n + 16, high);
  }
}

// Spelled out and kept in order because compilers copy the accumulators of the intrinsic from register to register, or
// put them on the stack.
THIMBLE_INLINE void AddMatrix(int32x4_t& acc, uint8x16_t rows, int8x16_t outputs) {
  asm volatile("usmmla %0.4s, %1.16b, %2.16b" : "+w"(acc) : "w"(rows), "w"(outputs));
}

inline constexpr std::size_t kProductInputs = 16;

// Inputs [8 kHalf, 8 kHalf + 8) of sixteen, with the two lines at `line` of each strip.
template <std::size_t kHalf, bool kPaired, std::size_t kHeight, std::size_t kPairs, std::size_t kWidth>
THIMBLE_INLINE void AddEight(const std::int8_t* line, const Lines& w, const std::uint8_t* a, std::size_t a_stride,
                             int32x4_t (&sum)[kPairs][kWidth][8]) {
  uint8x16_t rows[kPairs];
  THIMBLE_UNROLL
  for (std::size_t i = 0; i < kPairs; ++i) {
    const std::size_t second = 2 * i + 1 < kHeight ? 2 * i + 1 : 2 * i;
    const uint64x2_t x = vreinterpretq_u64_u8(vld1q_u8(a + 2 * i * a_stride));
    const uint64x2_t y = vreinterpretq_u64_u8(vld1q_u8(a + second * a_stride));
    rows[i] = vreinterpretq_u8_u64(kHalf == 0 ? vzip1q_u64(x, y) : vzip2q_u64(x, y));
    // Here and below, compilers would first load all that a step needs, for which there are not enough registers.
    asm volatile("" : "+w"(rows[i]) : : "memory");
  }
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    THIMBLE_UNROLL
    for (std::size_t n = 0; n < 4; ++n) {
      const std::int8_t* p = line + j * w.strip + (kPaired ? 32 : 16) * n;
      int8x16_t low = vld1q_s8(p), high = vld1q_s8(p + (kPaired ? 16 : w.step));
      if constexpr (!kPaired) PairQuads(low, high, low, high);
      asm volatile("" : "+w"(low), "+w"(high) : : "memory");
      THIMBLE_UNROLL
      for (std::size_t i = 0; i < kPairs; ++i) {
        AddMatrix(sum[i][j][2 * n], rows[i], low);
        AddMatrix(sum[i][j][2 * n + 1], rows[i], high);
      }
    }
  }
}

// With kPaired each two lines hold pairs already.
template <bool kPaired, bool kFirst, std::size_t kHeight, std::size_t kWidth>
THIMBLE_INLINE void AddMatrices(const Lines& w, const std::uint8_t* a, std::size_t a_stride, std::size_t inputs,
                                I (&acc)[kHeight][kWidth]) {
  constexpr std::size_t kPairs = (kHeight + 1) / 2;  // The last row of an odd number is taken twice.
  int32x4_t sum[kPairs][kWidth][8];
  THIMBLE_UNROLL
  for (std::size_t s = 0; s < 8 * kPairs * kWidth; ++s) {
    sum[s / 8 / kWidth][s / 8 % kWidth][s % 8] = vdupq_n_s32(0);
  }
  const std::int8_t* line = w.first;
  for (const std::uint8_t* end = a + inputs; a != end; a += 16, line += 4 * w.step) {
    if constexpr (kFirst) {
      THIMBLE_UNROLL
      for (std::size_t j = 0; j < 4 * kWidth; ++j) Prefetch(line + kWidth * w.strip + j / 4 * w.strip + j % 4 * w.step);
    }
    AddEight<0, kPaired, kHeight>(line, w, a, a_stride, sum);
    AddEight<1, kPaired, kHeight>(line + 2 * w.step, w, a, a_stride, sum);
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

inline constexpr std::size_t kFetchingTiles = 1;  // See products-inl.h.

template <std::size_t kHeight, std::size_t kWidth, bool kFirst>
THIMBLE_INLINE void AddProducts(const Lines& w, const std::uint8_t* a, std::size_t a_stride, std::size_t inputs,
                                I (&acc)[kHeight][kWidth]) {
  AddMatrices<false, kFirst>(w, a, a_stride, inputs, acc);
}
