// Matrix products of int8 in AMX: blocks of 16 rows. A tile of weights is 16 lines as they lie in a strip, 64 inputs of
// 16 outputs; one of activations is 16 rows of 64 inputs. The rest of the rows, and all other functions, are those of
// AVX-512 VNNI.

inline constexpr std::size_t kBlockRows = 16;

// The layout of the tiles while it lives: 16 rows of 64 bytes each.
class TileScope {
 public:
  TileScope() {
    alignas(64) std::uint8_t config[64] = {1};  // The palette.
    for (std::size_t tile = 0; tile < 8; ++tile) {
      config[16 + 2 * tile] = 64;  // Bytes of a row, 16 bits.
      config[48 + tile] = 16;      // Rows.
    }
    TileConfigure(config);
  }
  ~TileScope() { TileRelease(); }
  TileScope(const TileScope&) = delete;
  TileScope& operator=(const TileScope&) = delete;
};

// AddProducts of a block. The three tiles of sums take turns, so that none waits for itself.
template <std::size_t kWidth>
THIMBLE_INLINE void AddBlock(const Lines& w, const std::uint8_t* a, std::size_t a_stride, std::size_t inputs,
                             I (&acc)[kBlockRows][kWidth]) {
  static_assert(kWidth <= 3);
  constexpr int kA = 6, kB = 7;
  TileLoad<0>(&acc[0][0], sizeof acc[0]);
  if constexpr (kWidth > 1) TileLoad<1>(&acc[0][1], sizeof acc[0]);
  if constexpr (kWidth > 2) TileLoad<2>(&acc[0][2], sizeof acc[0]);
  const std::int8_t* line = w.first;
  for (const std::uint8_t* end = a + inputs; a != end; a += 64, line += 16 * w.step) {
    TileLoad<kA>(a, a_stride);
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
}

// 16 rows of kWidth strips from output n.
template <std::size_t kWidth>
__attribute__((noinline)) void BlockInt8(const Matrix& w, std::size_t n, const Lines& lines, const QuantizedRows& x,
                                         std::size_t row, const LinearOutput& output) {
  I acc[kBlockRows][kWidth];
  StartTile(w, n, acc);
  AddBlock(lines, x.values + row * x.stride, x.stride, w.inputs, acc);
  FinishTile(w, n, x.scale, acc, output, row);
}

inline void LinearInt8InBlocks(const Matrix& w, const QuantizedRows& x, const LinearOutput& output,
                               std::int8_t* panel) {
  const std::size_t rows = output.rows / kBlockRows * kBlockRows;
  if (rows > 0) {
    const TileScope scope;
    ForEachPanel(output.begin, output.end, [&]<std::size_t kWidth>(std::size_t n) {
      const Lines lines = LinesOf<kWidth>(w, n, panel);
      for (std::size_t row = 0; row < rows; row += kBlockRows) BlockInt8<kWidth>(w, n, lines, x, row, output);
    });
  }
  if (rows == output.rows) return;
  LinearOutput rest = output;
  rest.rows -= rows;
  rest.out += rows * output.stride;
  kAvx512Vnni.linear_int8(w, {x.values + rows * x.stride, x.stride, x.scale + rows}, rest, panel);
}

// All but `linear_int8` forward to AVX-512 VNNI, whose table is not known before the program starts.
constexpr Kernels MakeAmxKernels(std::string_view name, bool (*supported)()) {
  return {.name = name,
          .supported = supported,
          .fastest = kFastest,
          .linear_int8 = LinearInt8InBlocks,
          .panel_bytes = [](auto... a) { return kAvx512Vnni.panel_bytes(a...); },
          .linear_float = [](auto... a) { kAvx512Vnni.linear_float(a...); },
          .embed = [](auto... a) { kAvx512Vnni.embed(a...); },
          .layer_norm = [](auto... a) { kAvx512Vnni.layer_norm(a...); },
          .quantize = [](auto... a) { kAvx512Vnni.quantize(a...); },
          .attention_int8 = [](auto... a) { kAvx512Vnni.attention_int8(a...); },
          .attention_float = [](auto... a) { kAvx512Vnni.attention_float(a...); },
          .attention_bytes = [](auto... a) { return kAvx512Vnni.attention_bytes(a...); },
          .activate = [](auto... a) { kAvx512Vnni.activate(a...); },
          .sum = [](auto... a) { kAvx512Vnni.sum(a...); },
          .weighted_mean = [](auto... a) { kAvx512Vnni.weighted_mean(a...); },
          .largest = [](auto... a) { kAvx512Vnni.largest(a...); },
          .normalize = [](auto... a) { kAvx512Vnni.normalize(a...); }};
}
