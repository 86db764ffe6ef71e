// Matrix products of int8 in NEON with i8mm. Pairing the quads of weights takes a third of the time of a tile, so that
// strips of many rows are paired once, in the panel; those of q6 and q4 are unpacked into it anyway.

// Up to so many tiles pair the weights of q8 each for itself: storing them and loading them again costs as much.
inline constexpr std::size_t kUnpairedTiles = 2;

inline std::size_t PanelBytes(std::size_t inputs) { return kStrip * inputs; }

template <WeightFormat kFormat>
__attribute__((noinline)) void UnpackPairs(const Matrix& w, std::size_t n, std::int8_t* panel) {
  UnpackStrip<kFormat>(w, n, panel, StorePairs);
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
template <std::size_t kHeight>
__attribute__((noinline)) void TilePairs(const Matrix& w, std::size_t n, const std::int8_t* panel,
                                         const CodeRows<Code>& x, std::size_t row, const LinearOutput& output) {
  I acc[kHeight][1];
  StartTile(w, n, acc);
  AddMatrices<true, false>({panel, 64, 0}, x.values + row * x.stride, x.stride, w.inputs, acc);
  FinishTile(w, n, x.scale, acc, output, row);
}

inline void LinearInt8(const Matrix& w, const QuantizedRows& x, const LinearOutput& output, std::int8_t* panel) {
  static_assert(kTileStrips == 1);
  const CodeRows<Code> rows = {x.values, x.stride, x.scale};
  const bool unpaired = w.format == WeightFormat::kQ8 && TileCount<kTileRows>(output.rows) <= kUnpairedTiles;
  auto* pair = w.format == WeightFormat::kQ8
                   ? PairStrip
                   : WithFormat(w.format, []<WeightFormat kFormat>() { return UnpackPairs<kFormat>; });
  for (std::size_t n = output.begin; n < output.end; n += kStrip) {
    if (!unpaired) pair(w, n, panel);
    const Lines lines = {static_cast<const std::int8_t*>(w.weights) + n * w.inputs, 64, kStrip * w.inputs};
    ForEachTile<kTileRows>(output.rows, [&]<std::size_t kHeight>(std::size_t row, std::size_t) {
      if (unpaired) {
        TileInt8<kHeight, 1, true>(w, n, lines, rows, row, output);
      } else {
        TilePairs<kHeight>(w, n, panel, rows, row, output);
      }
    });
  }
}
