// Steps of integer products for the instruction sets that multiply pairs of 16-bit numbers, to which weights and
// activations are widened first.

inline constexpr WeightFormat kFastest = WeightFormat::kQ4;

// The line of four inputs: of each output the inputs 0 and 2, then of each the inputs 1 and 3. Codes have this order
// too.
using LineWeight = std::int16_t;
using Code = std::int16_t;

// As Lines in generic.h, of 64 words.
struct Lines {
  LineWeight* first;
  std::size_t step;
  std::size_t strip;
};

// Where attention puts the bytes of `count` weights of lines, which FinishLines then widens: behind what it writes
// before it reads them.
THIMBLE_INLINE std::int8_t* LineBytes(LineWeight* lines, std::size_t count) {
  return reinterpret_cast<std::int8_t*>(lines) + count;
}
THIMBLE_INLINE void FinishLines(LineWeight* lines, std::size_t count) {
  const std::int8_t* bytes = LineBytes(lines, count);
  for (std::size_t i = 0; i < count; i += 64) {
    const I weights = LoadLine(bytes + i);
    StoreLine(lines + i, WidenPair<0>(weights));
    StoreLine(lines + i + 32, WidenPair<1>(weights));
  }
}

// The codes of 16 activations, plus 128; and of 16 probabilities.
THIMBLE_INLINE void StoreQuery(Code* p, I a) {
  alignas(16) std::uint8_t bytes[16];
  StoreBytesOffset(bytes, a);
  WidenCodes(bytes, p);
}
THIMBLE_INLINE void StoreProbability(Code* p, I a) {
  alignas(16) std::uint8_t bytes[16];
  StoreBytes(bytes, a);
  WidenCodes(bytes, p);
}

// The sum of the weights of each output in `count` lines.
THIMBLE_INLINE I SumOfLines(const LineWeight* line, std::size_t step, std::size_t count) {
  const std::int16_t ones[2] = {1, 1};
  const Quad one = LoadQuad(ones);
  I sum = Zero();
  for (std::size_t i = 0; i < count; ++i, line += step) {
    sum = AddPair(AddPair(sum, one, LoadLine(line)), one, LoadLine(line + 32));
  }
  return sum;
}

// What the sum of int8 products with weights begins with; `comp` is -128 times the sum of an output's weights.
THIMBLE_INLINE I FirstSum(const std::int32_t* comp) { return LoadI(comp); }

// Inputs are taken in steps of so many.
inline constexpr std::size_t kProductInputs = 8;

// Pair kPair of the inputs of a step, those from `a` on of each row.
template <std::size_t kPair, std::size_t kHeight, std::size_t kWidth>
THIMBLE_INLINE void AddHalfLines(const Code* a, std::size_t a_stride, const I (&b)[kWidth], I (&acc)[kHeight][kWidth]) {
  THIMBLE_UNROLL
  for (std::size_t i = 0; i < kHeight; ++i) {
    const Quad pair = LoadPair<kPair>(a + i * a_stride);
    THIMBLE_UNROLL
    for (std::size_t j = 0; j < kWidth; ++j) acc[i][j] = AddPair(acc[i][j], pair, b[j]);
  }
}

template <std::size_t kHeight, std::size_t kWidth, bool>
THIMBLE_INLINE void AddProducts(const Lines& w, const Code* a, std::size_t a_stride, std::size_t inputs,
                                I (&acc)[kHeight][kWidth]) {
  const LineWeight* line = w.first;
  for (const Code* end = a + inputs; a != end; a += kProductInputs, line += 2 * w.step) {
    ForEachIndex<4>([&]<std::size_t kPair>() THIMBLE_LAMBDA {
      const LineWeight* const half = line + kPair / 2 * w.step + kPair % 2 * 32;
      I b[kWidth];
      THIMBLE_UNROLL
      for (std::size_t j = 0; j < kWidth; ++j) b[j] = LoadLine(half + j * w.strip);
      AddHalfLines<kPair>(a, a_stride, b, acc);
    });
  }
}

// acc + the products of one row with one strip of bytes, whose lines come in the order of memory, which is the fastest
// way through it.
THIMBLE_INLINE I AddRow(I acc, const std::int8_t* bytes, const Code* a, std::size_t inputs) {
  for (const Code* end = a + inputs; a != end; a += 4, bytes += 64) {
    const I weights = LoadLine(bytes);
    acc = AddPair(acc, LoadQuad(a), WidenPair<0>(weights));
    acc = AddPair(acc, LoadQuad(a + 2), WidenPair<1>(weights));
  }
  return acc;
}
