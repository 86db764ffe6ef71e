// Matrix products of int8 in NEON with i8mm. Pairing the quads of weights takes a third of the time of a tile, so that
// strips of many rows are paired once, in the panel; those of 6 and 4 bits are unpacked into it anyway.

// Up to so many tiles pair the weights of q8 each for itself: storing them and loading them again costs as much.
inline constexpr std::size_t kUnpairedTiles = 2;

template <int kBits>
__attribute__((noinline)) void UnpackPairs(const Matrix& w, std::size_t n, std::int8_t* panel) {
  UnpackStrip<kBits>(w, n, panel, StorePairs);
}
// The same of a strip of q8.
__attribute__((noinline)) inline void PairStrip(const Matrix& w, std::size_t n, std::int8_t* panel) {
  const std::size_t size = kStrip * w.inputs;
  const std::int8_t* line = static_cast<const std::int8_t*>(w.weights) + n * w.inputs;
  for (const std::int8_t* end = panel + size; panel != end; panel += 128, line += 128) {
    Prefetch(line + size);
    Prefetch(line + size + 64);
    StorePairs(panel, LoadLine(line), LoadLine(line + 64));
  }
}

// TileInt8 of a paired strip.
template <std::size_t kHeight, Epilogue kEpilogue>
__attribute__((noinline)) void TilePairs(const Matrix& w, std::size_t n, const std::int8_t* panel,
                                         const QuantizedRows& x, std::size_t row, float* out, std::size_t stride) {
  I acc[kHeight][1];
  StartTile(w, n, acc);
  AddMatrices<true, false>({panel, 64, 0}, x.values + row * x.stride, x.stride, w.inputs, acc);
  FinishTile<kHeight, 1, kEpilogue>(w, n, x.scale + row, acc, out, stride);
}

inline void LinearInt8InPairs(const Matrix& w, const QuantizedRows& x, const LinearOutput& output, std::int8_t* panel) {
  static_assert(kTileStrips == 1);
  const bool unpaired = w.format == WeightFormat::kQ8 && TileCount(output.rows) <= kUnpairedTiles;
  auto* pair = w.format == WeightFormat::kQ8   ? PairStrip
               : w.format == WeightFormat::kQ4 ? UnpackPairs<4>
                                               : UnpackPairs<6>;
  WithEpilogue(output.epilogue, [&]<Epilogue kEpilogue>() {
    for (std::size_t n = output.begin; n < output.end; n += kStrip) {
      const std::int8_t* strip = static_cast<const std::int8_t*>(w.weights) + n * w.inputs;
      if (!unpaired) pair(w, n, panel);
      ForEachTile(output.rows, [&]<std::size_t kHeight>(std::size_t row, bool) {
        float* out = output.out + row * output.stride + (n - output.begin);
        if (unpaired) {
          TileInt8<kHeight, 1, kEpilogue, true>(w, n, strip, x, row, out, output.stride);
        } else {
          TilePairs<kHeight, kEpilogue>(w, n, panel, x, row, out, output.stride);
        }
      });
    }
  });
}
