// Panels of lines: unpacking of a strip of the two-level formats before its products, and the tiles of rows that share
// one.

// Expands the strip of codes from output n into lines, which `store` gets two at a time. The strip after it is fetched
// meanwhile.
template <WeightFormat kFormat, typename StoreTwo>
THIMBLE_INLINE void UnpackStrip(const Matrix& w, std::size_t n, std::int8_t* panel, StoreTwo store) {
  constexpr const TwoLevel& kForm = kLevels<kFormat>;
  constexpr std::size_t kLines = kForm.bundle_lines(), kBundle = kBundleBytes<kFormat>;
  const std::size_t strip_bytes = kForm.CodeBytes(kStrip * w.inputs), strip_groups = kForm.StripGroupBytes(w.inputs);
  PackedStrip strip = StripOf<kFormat>(w, n);
  for (const std::int8_t* end = panel + kStrip * w.inputs; panel != end; strip.groups += kForm.GroupBytes()) {
    Prefetch(strip.groups + strip_groups);
    const Levels levels = LoadLevels<kFormat, false>(strip.groups);
    for (const std::int8_t* group_end = panel + kStrip * kForm.group; panel != group_end; panel += 64 * kLines) {
      for (std::size_t i = 0; i < kBundle; i += 64) Prefetch(strip.codes + strip_bytes + i);
      ForEachIndex<kLines / 2>([&]<std::size_t kTwo>() THIMBLE_LAMBDA {
        store(panel + 128 * kTwo, UnpackLine<kFormat, 2 * kTwo, false>(strip.codes, levels),
              UnpackLine<kFormat, 2 * kTwo + 1, false>(strip.codes, levels));
      });
      strip.codes += kBundle;
    }
  }
}
template <WeightFormat kFormat>
__attribute__((noinline)) void UnpackLines(const Matrix& w, std::size_t n, std::int8_t* panel) {
  UnpackStrip<kFormat>(w, n, panel, [](std::int8_t* p, const Line& first, const Line& second) THIMBLE_LAMBDA {
    StoreLine(p, first);
    StoreLine(p + 64, second);
  });
}

// The lines of kWidth strips from output n: as they are stored, of q8; else in the panel.
template <std::size_t kWidth>
THIMBLE_INLINE Lines LinesOf(const Matrix& w, std::size_t n, std::int8_t* panel) {
  const std::size_t size = kStrip * w.inputs;
  if (w.format == WeightFormat::kQ8) return {static_cast<const std::int8_t*>(w.weights) + n * w.inputs, 64, size};
  auto* unpack = WithFormat(w.format, []<WeightFormat kFormat>() { return UnpackLines<kFormat>; });
  for (std::size_t j = 0; j < kWidth; ++j) unpack(w, n + kStrip * j, panel + j * size);
  return {panel, 64, size};
}

// Rows from `first_row` of kWidth strips from output n; with kFirst, their first tiles are the first of all.
template <std::size_t kWidth, bool kFirst>
void PanelInt8(const Matrix& w, std::size_t n, const Lines& lines, const CodeRows<Code>& x, const LinearOutput& output,
               std::size_t first_row) {
  const std::size_t rows = output.rows - first_row;
  const std::size_t parts = std::min(std::bit_floor(TileCount<kTileRows>(rows)), kFetchingTiles);
  ForEachTile<kTileRows>(rows, [&]<std::size_t kHeight>(std::size_t row, std::size_t tile) {
    if (kFirst && tile < parts) {
      TileInt8<kHeight, kWidth, true>(w, n, PartOf(lines, tile, parts), x, first_row + row, output);
    } else {
      TileInt8<kHeight, kWidth, false>(w, n, lines, x, first_row + row, output);
    }
  });
}
