// Matrix products: tiles of kTileRows rows by kTileStrips strips whose accumulators stay in registers.

// Splits `rows` into tiles of nearly equal height: 9 rows are 5 + 4, never 8 + 1.
THIMBLE_INLINE std::size_t TileCount(std::size_t rows) { return (rows + kTileRows - 1) / kTileRows; }

// Calls f.template operator()<height>() for a run-time height in 1..kTileRows.
template <std::size_t kHeight = kTileRows, typename Function>
THIMBLE_INLINE void WithHeight(std::size_t height, Function f) {
  if constexpr (kHeight == 1) {
    f.template operator()<1>();
  } else {
    if (height == kHeight) {
      f.template operator()<kHeight>();
    } else {
      WithHeight<kHeight - 1>(height, f);
    }
  }
}

template <Epilogue kEpilogue, bool kExact>
THIMBLE_INLINE void Finish(F y, float* out) {
  if constexpr (kEpilogue == Epilogue::kAdd) y = Add(y, Load(out));
  if constexpr (kEpilogue == Epilogue::kGelu) y = kExact ? Gelu(y) : GeluFast(y);
  Store(out, y);
}

// What the sum of int8 products with weights begins with; `comp` is -128 times the sum of an output's weights.
THIMBLE_INLINE I FirstSum(const std::int32_t* comp) { return kSigned ? Zero() : LoadI(comp); }

// One tile of int8: acc[i][j] = comp + sum_k (values of row i) w, then scales, bias and epilogue.
// `strips` are kWidth strips of K * 16 bytes from output n. With kPrefetch the strips after them are fetched meanwhile.
template <std::size_t kHeight, std::size_t kWidth, Epilogue kEpilogue, bool kPrefetch>
__attribute__((noinline)) void TileInt8(const Matrix& w, std::size_t n, const std::int8_t* strips,
                                        const QuantizedRows& x, std::size_t row, float* out, std::size_t stride) {
  I acc[kHeight][kWidth];
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    I comp = FirstSum(w.comp + n + kStrip * j);
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) acc[i][j] = comp;
  }
  const Lines lines = {strips, 64, kStrip * w.inputs};
  if constexpr (kHeight == kBlockRows) {
    AddBlock<kWidth, kPrefetch>(lines, x.values + row * x.stride, x.stride, w.inputs, acc);
  } else {
    AddProducts<kHeight, kWidth, kPrefetch>(lines, x.values + row * x.stride, x.stride, w.inputs, acc);
  }
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    F scale = Load(w.scale + n + kStrip * j);
    F bias = Load(w.bias + n + kStrip * j);
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) {
      F y = Fma(Mul(ToFloat(acc[i][j]), scale), Set(x.scale[row + i]), bias);
      Finish<kEpilogue, false>(y, out + i * stride + kStrip * j);
    }
  }
}

THIMBLE_INLINE F LoadWeight(const float* p) { return Load(p); }
THIMBLE_INLINE F LoadWeight(const std::uint16_t* p) { return LoadHalf(p); }

// One tile of float: acc = bias, then fma over k in order.
template <std::size_t kHeight, std::size_t kWidth, Epilogue kEpilogue, typename Weight>
__attribute__((noinline)) void TileFloat(const Matrix& w, std::size_t n, const Weight* strips, const float* a,
                                         std::size_t a_stride, float* out, std::size_t stride) {
  const std::size_t strip_size = kStrip * w.inputs;
  F acc[kHeight][kWidth];
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    F bias = Load(w.bias + n + kStrip * j);
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) acc[i][j] = bias;
  }
  for (std::size_t k = 0; k < w.inputs; ++k) {
    F b[kWidth];
    THIMBLE_UNROLL
    for (std::size_t j = 0; j < kWidth; ++j) b[j] = LoadWeight(strips + j * strip_size + kStrip * k);
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) {
      F x = Set(a[i * a_stride + k]);
      THIMBLE_UNROLL
      for (std::size_t j = 0; j < kWidth; ++j) acc[i][j] = Fma(x, b[j], acc[i][j]);
    }
  }
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) Finish<kEpilogue, true>(acc[i][j], out + i * stride + kStrip * j);
  }
}

// Runs tile.operator()<height>(row, whether it is the first) over all rows: blocks of kBlock, unless that is 0, and
// tiles of at most kTileRows for the rest.
template <std::size_t kBlock, typename Tile>
THIMBLE_INLINE void ForEachTile(std::size_t rows, Tile tile) {
  std::size_t row = 0;
  if constexpr (kBlock > 0) {
    for (; row + kBlock <= rows; row += kBlock) tile.template operator()<kBlock>(row, row == 0);
  }
  std::size_t tiles = TileCount(rows - row);
  for (std::size_t t = 0; t < tiles; ++t) {
    std::size_t height = (rows - row) / (tiles - t);
    WithHeight(height, [&]<std::size_t kHeight>() { tile.template operator()<kHeight>(row, row == 0); });
    row += height;
  }
}

// Expands `count` strips of 6 or 4 bits from output n into int8 lines.
template <int kBits>
void UnpackStrips(const Matrix& w, std::size_t n, std::size_t count, std::int8_t* panel) {
  const TwoLevel& levels = MatrixLevels(w.format);
  const std::size_t groups = w.inputs / levels.group;
  for (std::size_t strip = n / kStrip; strip < n / kStrip + count; ++strip) {
    const auto* codes = static_cast<const std::uint8_t*>(w.weights) + strip * levels.CodeBytes(kStrip * w.inputs);
    const std::uint8_t* group = w.groups + strip * levels.StripGroupBytes(w.inputs);
    for (std::size_t g = 0; g < groups; ++g) {
      UnpackGroup<kBits>(codes, group, panel);
      codes += levels.CodeBytes(kStrip * levels.group);
      group += levels.GroupBytes();
      panel += kStrip * levels.group;
    }
  }
}

// All rows of kWidth strips from output n.
template <std::size_t kWidth, Epilogue kEpilogue>
void PanelInt8(const Matrix& w, std::size_t n, const QuantizedRows& x, const LinearOutput& output, std::int8_t* panel) {
  float* out = output.out + (n - output.begin);
  if (w.format != WeightFormat::kQ8) {
    if (w.format == WeightFormat::kQ4) {
      UnpackStrips<4>(w, n, kWidth, panel);
    } else {
      UnpackStrips<6>(w, n, kWidth, panel);
    }
    ForEachTile<kBlockRows>(output.rows, [&]<std::size_t kHeight>(std::size_t row, bool) {
      TileInt8<kHeight, kWidth, kEpilogue, false>(w, n, panel, x, row, out + row * output.stride, output.stride);
    });
    return;
  }
  const std::int8_t* strips = static_cast<const std::int8_t*>(w.weights) + n * w.inputs;
  ForEachTile<kBlockRows>(output.rows, [&]<std::size_t kHeight>(std::size_t row, bool first) {
    if (first) {
      TileInt8<kHeight, kWidth, kEpilogue, true>(w, n, strips, x, row, out + row * output.stride, output.stride);
    } else {
      TileInt8<kHeight, kWidth, kEpilogue, false>(w, n, strips, x, row, out + row * output.stride, output.stride);
    }
  });
}

// All rows of kWidth strips of float weights, or of keys, from output n.
template <std::size_t kWidth, Epilogue kEpilogue, typename Weight>
void PanelFloat(const Matrix& w, std::size_t n, const float* x, std::size_t x_stride, const LinearOutput& output) {
  float* out = output.out + (n - output.begin);
  const Weight* strips = static_cast<const Weight*>(w.weights) + n * w.inputs;
  ForEachTile<0>(output.rows, [&]<std::size_t kHeight>(std::size_t row, bool) {
    TileFloat<kHeight, kWidth, kEpilogue>(w, n, strips, x + row * x_stride, x_stride, out + row * output.stride,
                                          output.stride);
  });
}

// Calls panel.operator()<width>(n) over outputs [begin, end): full panels, then single strips.
template <typename Panel>
THIMBLE_INLINE void ForEachPanel(std::size_t begin, std::size_t end, Panel panel) {
  std::size_t n = begin;
  for (; n + kTileStrips * kStrip <= end; n += kTileStrips * kStrip) panel.template operator()<kTileStrips>(n);
  if constexpr (kTileStrips > 1) {
    for (; n < end; n += kStrip) panel.template operator()<1>(n);
  }
}

// Calls f.operator()<epilogue>() for a run-time epilogue.
template <typename Function>
THIMBLE_INLINE void WithEpilogue(Epilogue epilogue, Function f) {
  switch (epilogue) {
    case Epilogue::kStore:
      return f.template operator()<Epilogue::kStore>();
    case Epilogue::kAdd:
      return f.template operator()<Epilogue::kAdd>();
    case Epilogue::kGelu:
      return f.template operator()<Epilogue::kGelu>();
  }
}

inline void LinearInt8(const Matrix& w, const QuantizedRows& x, const LinearOutput& output, std::int8_t* panel) {
  [[maybe_unused]] const ProductScope scope;
  WithEpilogue(output.epilogue, [&]<Epilogue kEpilogue>() {
    ForEachPanel(output.begin, output.end,
                 [&]<std::size_t kWidth>(std::size_t n) { PanelInt8<kWidth, kEpilogue>(w, n, x, output, panel); });
  });
}

inline void LinearFloat(const Matrix& w, const float* x, std::size_t x_stride, const LinearOutput& output) {
  WithEpilogue(output.epilogue, [&]<Epilogue kEpilogue>() {
    ForEachPanel(output.begin, output.end, [&]<std::size_t kWidth>(std::size_t n) {
      if (w.format == WeightFormat::kF16) {
        PanelFloat<kWidth, kEpilogue, std::uint16_t>(w, n, x, x_stride, output);
      } else {
        PanelFloat<kWidth, kEpilogue, float>(w, n, x, x_stride, output);
      }
    });
  });
}
