// The inner loop of integer products on Dot4, for the instruction sets that have none of their own.

// Inputs are taken in steps of so many.
inline constexpr std::size_t kProductInputs = 4;

// With kFirst the lines of the next strips are fetched meanwhile.
template <std::size_t kHeight, std::size_t kWidth, bool kFirst>
THIMBLE_INLINE void AddProducts(const Lines& w, const std::uint8_t* a, std::size_t a_stride, std::size_t inputs,
                                I (&acc)[kHeight][kWidth]) {
  const std::int8_t* line = w.first;
  for (const std::uint8_t* end = a + inputs; a != end; a += 4, line += w.step) {
    if constexpr (kFirst) {
      THIMBLE_UNROLL
      for (std::size_t j = 0; j < kWidth; ++j) Prefetch(line + (kWidth + j) * w.strip);
    }
    Line b[kWidth];
    THIMBLE_UNROLL
    for (std::size_t j = 0; j < kWidth; ++j) b[j] = LoadLine(line + j * w.strip);
    DotLines(a, a_stride, b, acc);
  }
}
