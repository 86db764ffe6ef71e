// Dot products of AMX. A tile of weights is 16 lines as they lie in a strip, 64 inputs of 16 outputs; one of
// activations has 16 rows of 64 inputs. Fewer rows go the way of AVX-512 VNNI, after whose files this one is read.

// Six tiles of sums would need a seventh and eighth for operands that are each read once; three keep them busy.
inline constexpr std::size_t kBlockRows = 16;

// Around all products of a call: the tiles' layout, 16 rows of 64 bytes each.
class ProductScope {
 public:
  ProductScope() {
    alignas(64) std::uint8_t config[64] = {1};  // The palette.
    for (std::size_t tile = 0; tile < 8; ++tile) {
      config[16 + 2 * tile] = 64;  // Bytes of a row, 16 bits.
      config[48 + tile] = 16;      // Rows.
    }
    TileConfigure(config);
  }
  ~ProductScope() { TileRelease(); }
  ProductScope(const ProductScope&) = delete;
  ProductScope& operator=(const ProductScope&) = delete;
};

// AddProducts of a block.
template <std::size_t kWidth, bool kPrefetch>
THIMBLE_INLINE void AddBlock(const Lines& w, const std::uint8_t* a, std::size_t a_stride, std::size_t inputs,
                             I (&acc)[kBlockRows][kWidth]) {
  static_assert(kWidth <= 3);
  constexpr int kA = 6, kB = 7;
  TileLoad<0>(&acc[0][0], sizeof acc[0]);
  if constexpr (kWidth > 1) TileLoad<1>(&acc[0][1], sizeof acc[0]);
  if constexpr (kWidth > 2) TileLoad<2>(&acc[0][2], sizeof acc[0]);
  const std::int8_t* line = w.first;
  std::size_t k = 0;
  for (; k + 64 <= inputs; k += 64, line += 16 * w.step) {
    if constexpr (kPrefetch) {
      for (std::size_t i = 0; i < 16 * kWidth; ++i) Prefetch(line + (kWidth + i / 16) * w.strip + i % 16 * w.step);
    }
    TileLoad<kA>(a + k, a_stride);
    TileLoad<kB>(line, w.step);
    TileDot<0, kA, kB>();
    if constexpr (kWidth > 1) {
      TileLoad<kB>(line + w.strip, w.step);
      TileDot<1, kA, kB>();
    }
    if constexpr (kWidth > 2) {
      TileLoad<kB>(line + 2 * w.strip, w.step);
      TileDot<2, kA, kB>();
    }
  }
  TileStore<0>(&acc[0][0], sizeof acc[0]);
  if constexpr (kWidth > 1) TileStore<1>(&acc[0][1], sizeof acc[0]);
  if constexpr (kWidth > 2) TileStore<2>(&acc[0][2], sizeof acc[0]);
  if (k < inputs) AddProducts<kBlockRows, kWidth, false>({line, w.step, w.strip}, a + k, a_stride, inputs - k, acc);
}
