// Steps of integer products.

// What the sum of int8 products with weights begins with; `comp` is -128 times the sum of an output's weights.
THIMBLE_INLINE I FirstSum(const std::int32_t* comp) { return kSigned ? Zero() : LoadI(comp); }

// Four inputs, those at `a` of each row.
template <std::size_t kHeight, std::size_t kWidth>
THIMBLE_INLINE void DotLines(const std::uint8_t* a, std::size_t a_stride, const Line (&b)[kWidth],
                             I (&acc)[kHeight][kWidth]) {
  THIMBLE_UNROLL
  for (std::size_t i = 0; i < kHeight; ++i) {
    Quad quad = LoadQuad(a + i * a_stride);
    THIMBLE_UNROLL
    for (std::size_t j = 0; j < kWidth; ++j) acc[i][j] = Dot4(acc[i][j], quad, b[j]);
  }
}
