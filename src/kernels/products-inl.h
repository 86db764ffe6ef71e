// The inner loop of integer products on Dot4, for the instruction sets that have none of their own.

// Inputs are taken in steps of so many.
inline constexpr std::size_t kProductInputs = 4;

// Memory gives lines more slowly than one tile takes them: so many tiles share the fetching of the next strips.
inline constexpr std::size_t kFetchingTiles = 4;

// With kFirst lines of the next strips are fetched meanwhile.
template <std::size_t kHeight, std::size_t kWidth, bool kFirst>
THIMBLE_INLINE void AddProducts(const Lines& w, const std::uint8_t* a, std::size_t a_stride, std::size_t inputs,
                                I (&acc)[kHeight][kWidth]) {
  const std::int8_t* line = w.first;
  const std::int8_t* const next = w.first + w.ahead + kWidth * w.strip;
  for (const std::uint8_t* end = a + inputs; a != end; a += 4, line += w.step) {
    if constexpr (kFirst) {
      const std::int8_t* fetched = next + (static_cast<std::size_t>(line - w.first) & w.run_mask);
      THIMBLE_UNROLL
      for (std::size_t j = 0; j < kWidth; ++j) Prefetch(fetched + j * w.strip);
    }
    Line b[kWidth];
    THIMBLE_UNROLL
    for (std::size_t j = 0; j < kWidth; ++j) b[j] = LoadLine(line + j * w.strip);
    DotLines(a, a_stride, b, acc);
  }
}
