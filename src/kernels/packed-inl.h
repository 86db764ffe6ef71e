// Matrix products with the two-level formats: the first tile of rows unpacks its weights on the way into the dot
// products, and leaves them as a panel of int8 lines to the tiles below it.

// Up to so many accumulators leave registers for the integers of a group and for constants.
inline constexpr std::size_t kRoomyTile = 12;

static_assert(kTileStrips <= kMaxTileStrips);

// The strips of a tile unpacked, and the integers of a group of each.
inline std::size_t PanelBytes(std::size_t inputs) {
  return kTileStrips * (kStrip * inputs + base::RoundUp(sizeof(Levels), 64));
}

// Line kLine of the bundles at `codes` of kWidth strips: unpacked, multiplied, and kept.
template <WeightFormat kFormat, bool kKeep, std::size_t kLine, std::size_t kHeight, std::size_t kWidth>
THIMBLE_INLINE void DotPackedLine(const std::uint8_t* codes, std::size_t strip_bytes, const Levels* levels,
                                  const std::uint8_t* a, std::size_t a_stride, std::int8_t* panel,
                                  std::size_t panel_strip, I (&acc)[kHeight][kWidth]) {
  Line b[kWidth];
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    b[j] = UnpackLine<kFormat, kLine, (kHeight * kWidth > kRoomyTile)>(codes + j * strip_bytes, levels[j]);
    if constexpr (kKeep) StoreLine(panel + j * panel_strip + 64 * kLine, b[j]);
  }
  DotLines(a + 4 * kLine, a_stride, b, acc);
}

// TileInt8 on codes. `panel` gets the kWidth strips as lines of int8 if kKeep. In a crowded tile the memory behind them
// holds `levels`: in registers those would leave too few for the accumulators.
template <WeightFormat kFormat, std::size_t kHeight, std::size_t kWidth, bool kKeep>
__attribute__((noinline)) void TilePacked(const Matrix& w, std::size_t n, const QuantizedRows& x,
                                          const LinearOutput& output, std::int8_t* panel) {
  constexpr const TwoLevel& kForm = kLevels<kFormat>;
  constexpr std::size_t kLines = kForm.bundle_lines(), kBundle = kBundleBytes<kFormat>;
  const std::size_t strip_bytes = kForm.CodeBytes(kStrip * w.inputs), strip_groups = kForm.StripGroupBytes(w.inputs);
  const std::size_t panel_strip = kStrip * w.inputs, a_stride = x.stride;
  constexpr bool kCrowded = kHeight * kWidth > kRoomyTile;
  Levels roomy_levels[kWidth];
  Levels* levels = kCrowded ? reinterpret_cast<Levels*>(panel + kWidth * panel_strip) : roomy_levels;
  PackedStrip strip = StripOf<kFormat>(w, n);
  const std::uint8_t* a = x.values;
  I acc[kHeight][kWidth];
  StartTile(w, n, acc);
  for (const std::uint8_t* end = a + w.inputs; a != end;) {
    THIMBLE_UNROLL
    for (std::size_t j = 0; j < kWidth; ++j) {
      levels[j] = LoadLevels<kFormat, kCrowded>(strip.groups + j * strip_groups);
      Prefetch(strip.groups + (kWidth + j) * strip_groups);
    }
    strip.groups += kForm.GroupBytes();
    for (const std::uint8_t* group_end = a + kForm.group; a != group_end; a += 4 * kLines) {
      THIMBLE_UNROLL
      for (std::size_t j = 0; j < kWidth; ++j) {
        for (std::size_t i = 0; i < kBundle; i += 64) Prefetch(strip.codes + (kWidth + j) * strip_bytes + i);
      }
      ForEachIndex<kLines>([&]<std::size_t kLine>() THIMBLE_LAMBDA {
        DotPackedLine<kFormat, kKeep, kLine>(strip.codes, strip_bytes, levels, a, a_stride, panel, panel_strip, acc);
      });
      strip.codes += kBundle;
      panel += 64 * kLines;
    }
  }
  FinishTile(w, n, x.scale, acc, output, 0);
}

// All rows of kWidth strips from output n.
template <WeightFormat kFormat, std::size_t kWidth>
void PanelPacked(const Matrix& w, std::size_t n, const QuantizedRows& x, const LinearOutput& output,
                 std::int8_t* panel) {
  const std::size_t first = output.rows / TileCount<kTileRows>(output.rows);
  WithHeight<kTileRows>(first, [&]<std::size_t kHeight>() {
    if (output.rows == kHeight) {
      TilePacked<kFormat, kHeight, kWidth, false>(w, n, x, output, panel);
    } else {
      TilePacked<kFormat, kHeight, kWidth, true>(w, n, x, output, panel);
    }
  });
  if (first == output.rows) return;
  PanelInt8<kWidth, false>(w, n, {panel, 64, kStrip * w.inputs}, {x.values, x.stride, x.scale}, output, first);
}

// acc + the products of one row with one strip, whose lines come in the order of memory, which is the fastest way
// through it. Four sums side by side: one would wait for itself.
THIMBLE_INLINE I AddRow(I acc, const std::int8_t* line, const std::uint8_t* a, std::size_t inputs) {
  I sum[4] = {acc, Zero(), Zero(), Zero()};
  for (const std::uint8_t* end = a + inputs; a != end; a += 16, line += 256) {
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < 4; ++i) sum[i] = Dot4(sum[i], LoadQuad(a + 4 * i), LoadLine(line + 64 * i));
  }
  return AddLanes(AddLanes(sum[0], sum[1]), AddLanes(sum[2], sum[3]));
}

// One row of the strip of q8 from output n.
__attribute__((noinline)) inline void RowInt8(const Matrix& w, std::size_t n, const QuantizedRows& x,
                                              const LinearOutput& output) {
  I acc[1][1];
  StartTile(w, n, acc);
  acc[0][0] = AddRow(acc[0][0], static_cast<const std::int8_t*>(w.weights) + n * w.inputs, x.values, w.inputs);
  FinishTile(w, n, x.scale, acc, output, 0);
}

inline void LinearInt8(const Matrix& w, const QuantizedRows& x, const LinearOutput& output, std::int8_t* panel) {
  if (w.format == WeightFormat::kQ8 && output.rows == 1) {
    for (std::size_t n = output.begin; n < output.end; n += kStrip) RowInt8(w, n, x, output);
    return;
  }
  ForEachPanel(output.begin, output.end, [&]<std::size_t kWidth>(std::size_t n) {
    if (w.format == WeightFormat::kQ8) {
      const std::int8_t* strips = static_cast<const std::int8_t*>(w.weights) + n * w.inputs;
      return PanelInt8<kWidth, true>(w, n, {strips, 64, kStrip * w.inputs}, {x.values, x.stride, x.scale}, output, 0);
    }
    WithFormat(w.format, [&]<WeightFormat kFormat>() { PanelPacked<kFormat, kWidth>(w, n, x, output, panel); });
  });
}
