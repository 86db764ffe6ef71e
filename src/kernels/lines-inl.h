// Steps of integer products, for the instruction sets that have dot products of bytes, and for the reference.

using LineWeight = std::int8_t;
using Code = std::uint8_t;
// The rows of a tile of float.
inline constexpr std::size_t kFloatTileRows = kTileRows;

// Where attention puts the bytes of `count` weights of lines, which FinishLines then makes ready for products.
THIMBLE_INLINE std::int8_t* LineBytes(LineWeight* lines, std::size_t) { return lines; }
THIMBLE_INLINE void FinishLines(LineWeight*, std::size_t) {}

// The codes of 16 activations, plus 128; and of 16 probabilities.
THIMBLE_INLINE void StoreQuery(Code* p, I a) { StoreBytesOffset(p, a); }
THIMBLE_INLINE void StoreProbability(Code* p, I a) { StoreBytes(p, a); }

// The sum of the weights of each output in `count` lines, negated if kSigned.
THIMBLE_INLINE I SumOfLines(const LineWeight* line, std::size_t step, std::size_t count) {
  constexpr std::uint8_t kOne = kSigned ? 127 : 1;
  const std::uint8_t ones[4] = {kOne, kOne, kOne, kOne};
  const Quad one = LoadQuad(ones);
  I sum = Zero();
  for (std::size_t i = 0; i < count; ++i) sum = Dot4(sum, one, LoadLine(line + i * step));
  return sum;
}

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
