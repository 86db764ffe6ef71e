// Dot products of NEON with the dotprod extension, of signed bytes. See vector_scalar-inl.h for what each operation
// computes.

using Quad = int8x16_t;

// 20 accumulators, 5 registers of activations and those of weights, of 32.
inline constexpr bool kSigned = true;
inline constexpr std::size_t kTileRows = 5;
inline constexpr std::size_t kTileStrips = 1;

THIMBLE_INLINE Quad LoadQuad(const std::uint8_t* p) {
  std::uint32_t quad;
  __builtin_memcpy(&quad, p, 4);
  return vreinterpretq_s8_u32(vdupq_n_u32(quad ^ 0x80808080));
}
THIMBLE_INLINE I Dot4(I acc, Quad a, const Line& w) {
  return MapI([&](int i) { return vdotq_s32(acc.v[i], w.v[i], a); });
}

// A register of activations holds four quads, one for each line of weights in turn.
inline constexpr std::size_t kProductInputs = 16;

template <std::size_t kLane, std::size_t kHeight, std::size_t kWidth>
THIMBLE_INLINE void AddLine(const std::int8_t* line, std::size_t strip, const int8x16_t (&a)[kHeight],
                            I (&acc)[kHeight][kWidth]) {
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    THIMBLE_UNROLL
    for (std::size_t n = 0; n < 4; ++n) {
      int8x16_t w = vld1q_s8(line + j * strip + 16 * n);
      THIMBLE_UNROLL
      for (std::size_t i = 0; i < kHeight; ++i) acc[i][j].v[n] = vdotq_laneq_s32(acc[i][j].v[n], w, a[i], kLane);
    }
  }
}

inline constexpr std::size_t kFetchingTiles = 1;  // See products-inl.h.

template <std::size_t kHeight, std::size_t kWidth, bool kFirst>
THIMBLE_INLINE void AddProducts(const Lines& w, const std::uint8_t* a, std::size_t a_stride, std::size_t inputs,
                                I (&acc)[kHeight][kWidth]) {
  const std::int8_t* line = w.first;
  for (const std::uint8_t* end = a + inputs; a != end; a += 16, line += 4 * w.step) {
    if constexpr (kFirst) {
      THIMBLE_UNROLL
      for (std::size_t j = 0; j < 4 * kWidth; ++j) Prefetch(line + kWidth * w.strip + j / 4 * w.strip + j % 4 * w.step);
    }
    int8x16_t quads[kHeight];
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) {
      quads[i] = vreinterpretq_s8_u8(veorq_u8(vld1q_u8(a + i * a_stride), vdupq_n_u8(0x80)));
    }
    AddLine<0>(line, w.strip, quads, acc);
    AddLine<1>(line + w.step, w.strip, quads, acc);
    AddLine<2>(line + 2 * w.step, w.strip, quads, acc);
    AddLine<3>(line + 3 * w.step, w.strip, quads, acc);
  }
}
