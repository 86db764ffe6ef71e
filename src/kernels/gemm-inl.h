// Matrix products: tiles of kTileRows rows (of float, kFloatTileRows) by kTileStrips strips whose accumulators stay in
// registers.

// Splits `rows` into tiles of nearly equal height, at most kRows: of 8, 9 rows are 5 + 4, never 8 + 1.
template <std::size_t kRows>
THIMBLE_INLINE std::size_t TileCount(std::size_t rows) {
  return (rows + kRows - 1) / kRows;
}

// Calls f.template operator()<height>() for a run-time height in 1..kHeight.
template <std::size_t kHeight, typename Function>
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

template <std::size_t kHeight, std::size_t kWidth>
THIMBLE_INLINE void StartTile(const Matrix& w, std::size_t n, I (&acc)[kHeight][kWidth]) {
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    I comp = FirstSum(w.comp + n + kStrip * j);
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) acc[i][j] = comp;
  }
}

// Where output n of a row goes.
THIMBLE_INLINE float* OutputAt(const LinearOutput& output, std::size_t row, std::size_t n) {
  return output.out + row * output.stride + (n - output.begin);
}

// In place.
template <bool kExact>
__attribute__((noinline)) void GeluOfRows(float* rows, std::size_t stride, std::size_t height, std::size_t width) {
  for (float* row = rows; row != rows + height * stride; row += stride) {
    for (std::size_t n = 0; n < width; n += kStrip) {
      Store(row + n, kExact ? Gelu(Load(row + n)) : GeluFast(Load(row + n)));
    }
  }
}

// Stores a tile, adds it to what is there, or stores its Gelu. A Gelu beside other registers of the tile would leave
// too few for it where F is several, and the exact one is long: those come after.
template <bool kExact, std::size_t kHeight, std::size_t kWidth>
THIMBLE_INLINE void StoreTile(const F (&y)[kHeight][kWidth], const LinearOutput& output, std::size_t row,
                              std::size_t n) {
  constexpr bool kGeluLater = kExact || __is_class(F);
  float* const out = OutputAt(output, row, n);
  const Epilogue epilogue = output.epilogue;
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    float* place = out + kStrip * j;
    if (epilogue == Epilogue::kAdd) {
      THIMBLE_UNROLL
      for (std::size_t i = 0; i < kHeight; ++i, place += output.stride) Store(place, Add(y[i][j], Load(place)));
    } else if (kGeluLater || epilogue == Epilogue::kStore) {
      THIMBLE_UNROLL
      for (std::size_t i = 0; i < kHeight; ++i, place += output.stride) Store(place, y[i][j]);
    } else {
      THIMBLE_UNROLL
      for (std::size_t i = 0; i < kHeight; ++i, place += output.stride) Store(place, GeluFast(y[i][j]));
    }
  }
  if (kGeluLater && epilogue == Epilogue::kGelu) GeluOfRows<kExact>(out, output.stride, kHeight, kStrip * kWidth);
}

// Scales, bias and epilogue.
template <std::size_t kHeight, std::size_t kWidth>
THIMBLE_INLINE void FinishTile(const Matrix& w, std::size_t n, const float* row_scale, I (&acc)[kHeight][kWidth],
                               const LinearOutput& output, std::size_t row) {
  F y[kHeight][kWidth];
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    F scale = Load(w.scale + n + kStrip * j);
    F bias = Load(w.bias + n + kStrip * j);
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) {
      y[i][j] = Fma(Mul(ToFloat(acc[i][j]), scale), Set(row_scale[row + i]), bias);
    }
  }
  StoreTile<false>(y, output, row, n);
}

// One tile of int8: comp + sum_k (values of row i) w, then FinishTile. The lines are those of kWidth strips from output
// n. With kFirst they are read for the first time: what AddProducts says.
template <std::size_t kHeight, std::size_t kWidth, bool kFirst>
__attribute__((noinline)) void TileInt8(const Matrix& w, std::size_t n, const Lines& lines, const CodeRows<Code>& x,
                                        std::size_t row, const LinearOutput& output) {
  I acc[kHeight][kWidth];
  StartTile(w, n, acc);
  AddProducts<kHeight, kWidth, kFirst>(lines, x.values + row * x.stride, x.stride, w.inputs, acc);
  FinishTile(w, n, x.scale, acc, output, row);
}

THIMBLE_INLINE F LoadWeight(const float* p) { return Load(p); }
THIMBLE_INLINE F LoadWeight(const std::uint16_t* p) { return LoadHalf(p); }

// One tile of float: acc = bias, then fma over k in order. The strips after these are fetched meanwhile.
template <std::size_t kHeight, std::size_t kWidth, typename Weight>
__attribute__((noinline)) void TileFloat(const Matrix& w, std::size_t n, const Weight* strips, const float* a,
                                         std::size_t a_stride, std::size_t row, const LinearOutput& output) {
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
    for (std::size_t j = 0; j < kWidth; ++j) {
      Prefetch(strips + (kWidth + j) * strip_size + kStrip * k);
      b[j] = LoadWeight(strips + j * strip_size + kStrip * k);
    }
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) {
      F x = Set(a[i * a_stride + k]);
      THIMBLE_UNROLL
      for (std::size_t j = 0; j < kWidth; ++j) acc[i][j] = Fma(x, b[j], acc[i][j]);
    }
  }
  StoreTile<true>(acc, output, row, n);
}

// Runs tile.operator()<height>(row, number of the tile) over all rows, at most kRows at a time.
template <std::size_t kRows, typename Tile>
THIMBLE_INLINE void ForEachTile(std::size_t rows, Tile tile) {
  std::size_t tiles = TileCount<kRows>(rows);
  for (std::size_t t = 0, row = 0; t < tiles; ++t) {
    std::size_t height = (rows - row) / (tiles - t);
    WithHeight<kRows>(height, [&]<std::size_t kHeight>() { tile.template operator()<kHeight>(row, t); });
    row += height;
  }
}

// All rows of kWidth strips of float weights from output n.
template <std::size_t kWidth, typename Weight>
void PanelFloat(const Matrix& w, std::size_t n, const float* x, std::size_t x_stride, const LinearOutput& output) {
  const Weight* strips = static_cast<const Weight*>(w.weights) + n * w.inputs;
  ForEachTile<kFloatTileRows>(output.rows, [&]<std::size_t kHeight>(std::size_t row, std::size_t) {
    TileFloat<kHeight, kWidth>(w, n, strips, x + row * x_stride, x_stride, row, output);
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

inline void LinearFloat(const Matrix& w, const float* x, std::size_t x_stride, const LinearOutput& output) {
  ForEachPanel(output.begin, output.end, [&]<std::size_t kWidth>(std::size_t n) {
    if (w.format == WeightFormat::kF16) {
      PanelFloat<kWidth, std::uint16_t>(w, n, x, x_stride, output);
    } else {
      PanelFloat<kWidth, float>(w, n, x, x_stride, output);
    }
  });
}
