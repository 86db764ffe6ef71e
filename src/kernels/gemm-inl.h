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

template <Epilogue kEpilogue>
THIMBLE_INLINE void Finish(F y, float* out) {
  if constexpr (kEpilogue == Epilogue::kAdd) y = Add(y, Load(out));
  if constexpr (kEpilogue == Epilogue::kGelu) y = GeluFast(y);
  Store(out, y);
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

// In place.
template <bool kExact>
__attribute__((noinline)) void GeluOfRows(float* rows, std::size_t stride, std::size_t height, std::size_t width) {
  for (float* row = rows; row != rows + height * stride; row += stride) {
    for (std::size_t n = 0; n < width; n += kStrip) {
      Store(row + n, kExact ? Gelu(Load(row + n)) : GeluFast(Load(row + n)));
    }
  }
}

// Scales, bias and epilogue.
template <std::size_t kHeight, std::size_t kWidth, Epilogue kEpilogue>
THIMBLE_INLINE void FinishTile(const Matrix& w, std::size_t n, const float* row_scale, I (&acc)[kHeight][kWidth],
                               float* out, std::size_t stride) {
  // Where F is several registers, a Gelu beside accumulators would leave too few for them.
  constexpr bool kGeluLater = kEpilogue == Epilogue::kGelu && __is_class(F);
  constexpr Epilogue kNow = kGeluLater ? Epilogue::kStore : kEpilogue;
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    F scale = Load(w.scale + n + kStrip * j);
    F bias = Load(w.bias + n + kStrip * j);
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) {
      F y = Fma(Mul(ToFloat(acc[i][j]), scale), Set(row_scale[i]), bias);
      Finish<kNow>(y, out + i * stride + kStrip * j);
    }
  }
  if constexpr (kGeluLater) GeluOfRows<false>(out, stride, kHeight, kStrip * kWidth);
}

// One tile of int8: comp + sum_k (values of row i) w, then FinishTile. `strips` are kWidth strips of K * 16 bytes from
// output n. With kPrefetch the strips after them are fetched meanwhile.
template <std::size_t kHeight, std::size_t kWidth, Epilogue kEpilogue, bool kPrefetch>
__attribute__((noinline)) void TileInt8(const Matrix& w, std::size_t n, const std::int8_t* strips,
                                        const QuantizedRows& x, std::size_t row, float* out, std::size_t stride) {
  const Lines lines = {strips, 64, kStrip * w.inputs};
  I acc[kHeight][kWidth];
  StartTile(w, n, acc);
  AddProducts<kHeight, kWidth, kPrefetch>(lines, x.values + row * x.stride, x.stride, w.inputs, acc);
  FinishTile<kHeight, kWidth, kEpilogue>(w, n, x.scale + row, acc, out, stride);
}

THIMBLE_INLINE F LoadWeight(const float* p) { return Load(p); }
THIMBLE_INLINE F LoadWeight(const std::uint16_t* p) { return LoadHalf(p); }

// One tile of float: acc = bias, then fma over k in order. The strips after these are fetched meanwhile.
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
  // The exact Gelu is long, and would stand in every height and width of a tile.
  constexpr bool kGelu = kEpilogue == Epilogue::kGelu;
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) {
      Finish<kGelu ? Epilogue::kStore : kEpilogue>(acc[i][j], out + i * stride + kStrip * j);
    }
  }
  if constexpr (kGelu) GeluOfRows<true>(out, stride, kHeight, kStrip * kWidth);
}

// Runs tile.operator()<height>(row) over all rows.
template <typename Tile>
THIMBLE_INLINE void ForEachTile(std::size_t rows, Tile tile) {
  std::size_t tiles = TileCount(rows);
  for (std::size_t t = 0, row = 0; t < tiles; ++t) {
    std::size_t height = (rows - row) / (tiles - t);
    WithHeight(height, [&]<std::size_t kHeight>() { tile.template operator()<kHeight>(row, t == 0); });
    row += height;
  }
}

// All rows of kWidth strips of q8, or of unpacked strips, from output n and row `row`.
template <std::size_t kWidth, Epilogue kEpilogue, bool kPrefetch>
void PanelInt8(const Matrix& w, std::size_t n, const std::int8_t* strips, const QuantizedRows& x,
               const LinearOutput& output, std::size_t first_row) {
  float* out = output.out + (n - output.begin);
  ForEachTile(output.rows - first_row, [&]<std::size_t kHeight>(std::size_t tile_row, bool first) {
    const std::size_t row = first_row + tile_row;
    if (kPrefetch && first) {
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
  ForEachTile(output.rows, [&]<std::size_t kHeight>(std::size_t row, bool) {
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
