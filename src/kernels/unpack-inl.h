// Unpacking of a strip of the two-level formats before its products.

// The codes and group data of strips of one matrix.
struct PackedStrip {
  const std::uint8_t* codes;
  const std::uint8_t* groups;
};
THIMBLE_INLINE PackedStrip StripOf(const Matrix& w, std::size_t n) {
  const TwoLevel& levels = MatrixLevels(w.format);
  return {static_cast<const std::uint8_t*>(w.weights) + levels.CodeBytes(n * w.inputs),
          w.groups + n / kStrip * levels.StripGroupBytes(w.inputs)};
}

// Expands the strip of 6 or 4 bits from output n into lines, which `store` gets two at a time. The strip after it is
// fetched meanwhile.
template <int kBits, typename StoreTwo>
THIMBLE_INLINE void UnpackStrip(const Matrix& w, std::size_t n, std::int8_t* panel, StoreTwo store) {
  constexpr const TwoLevel& kForm = kBits == 4 ? kQ4Levels : kQ6Levels;
  constexpr std::size_t kLines = kBits == 4 ? 2 : 4, kBundle = kBits == 4 ? 64 : 192;
  const std::size_t strip_bytes = kForm.CodeBytes(kStrip * w.inputs), strip_groups = kForm.StripGroupBytes(w.inputs);
  PackedStrip strip = StripOf(w, n);
  for (const std::int8_t* end = panel + kStrip * w.inputs; panel != end; strip.groups += kForm.GroupBytes()) {
    Prefetch(strip.groups + strip_groups);
    const Levels levels = LoadLevels<kBits, false>(strip.groups);
    for (const std::int8_t* group_end = panel + kStrip * kForm.group; panel != group_end; panel += 64 * kLines) {
      for (std::size_t i = 0; i < kBundle; i += 64) Prefetch(strip.codes + strip_bytes + i);
      store(panel, UnpackLine<kBits, 0, false>(strip.codes, levels), UnpackLine<kBits, 1, false>(strip.codes, levels));
      if constexpr (kBits == 6) {
        store(panel + 128, UnpackLine<kBits, 2, false>(strip.codes, levels),
              UnpackLine<kBits, 3, false>(strip.codes, levels));
      }
      strip.codes += kBundle;
    }
  }
}
template <int kBits>
__attribute__((noinline)) void UnpackLines(const Matrix& w, std::size_t n, std::int8_t* panel) {
  UnpackStrip<kBits>(w, n, panel, [](std::int8_t* p, const Line& first, const Line& second) THIMBLE_LAMBDA {
    StoreLine(p, first);
    StoreLine(p + 64, second);
  });
}

// The lines of kWidth strips from output n: as they are stored, of q8; else in the panel.
template <std::size_t kWidth>
THIMBLE_INLINE Lines LinesOf(const Matrix& w, std::size_t n, std::int8_t* panel) {
  const std::size_t size = kStrip * w.inputs;
  if (w.format == WeightFormat::kQ8) return {static_cast<const std::int8_t*>(w.weights) + n * w.inputs, 64, size};
  auto* unpack = w.format == WeightFormat::kQ4 ? UnpackLines<4> : UnpackLines<6>;
  for (std::size_t j = 0; j < kWidth; ++j) unpack(w, n + kStrip * j, panel + j * size);
  return {panel, 64, size};
}
