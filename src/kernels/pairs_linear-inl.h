// Matrix products of the instruction sets that multiply pairs of 16-bit numbers. The first tile of rows makes a panel
// of the weights of its strips for the others: those of q8 as words; of q6 and q4 the codes as bytes, whose products
// with activations fit into words, and which meet the multipliers of their groups when those words are added in pairs.
// What a group adds to each weight of an output meets the sum of its activations: with w = m code + rest,
//   sum_k w[k] a[k] = sum over groups (m sum_k code[k] a[k] + rest sum_k a[k]).

// Rows whose sums of groups are held at a time.
inline constexpr std::size_t kSummedRows = 128;

template <WeightFormat kFormat>
struct CodePanel {
  static constexpr const TwoLevel& kForm = kLevels<kFormat>;

  // Groups of `inputs`, made even by one of zeros.
  static constexpr std::size_t Groups(std::size_t inputs) { return base::RoundUp(inputs / kForm.group, 2); }
  static constexpr std::size_t Bytes(std::size_t inputs) {
    return kStrip * inputs + Groups(inputs) * (64 + 32 + 2 * kSummedRows);
  }

  CodePanel(std::size_t inputs, std::int8_t* panel)
      : groups(Groups(inputs)),
        codes(reinterpret_cast<std::uint8_t*>(panel)),
        multipliers(reinterpret_cast<std::int16_t*>(codes + kStrip * inputs)),
        rests(multipliers + 32 * groups),
        sums(rests + 16 * groups) {}

  std::size_t groups;
  std::uint8_t* codes;        // [inputs/4][16][4], signed
  std::int16_t* multipliers;  // [groups][16][2], each twice
  std::int16_t* rests;        // [groups/2][16][2]
  std::int16_t* sums;         // [rows][groups]
};

// The sums of the activations of each group.
template <WeightFormat kFormat>
THIMBLE_INLINE void SumGroups(const CodePanel<kFormat>& p, const CodeRows<std::uint8_t>& x, std::size_t rows,
                              std::size_t inputs) {
  constexpr std::size_t kGroup = kLevels<kFormat>.group;
  for (std::size_t row = 0; row < rows; ++row) {
    const std::uint8_t* a = x.values + row * x.stride;
    std::int16_t* sums = p.sums + row * p.groups;
    for (std::size_t k = 0; k < inputs; k += kGroup) sums[k / kGroup] = SumOfCodes<kGroup>(a + k);
    if (inputs / kGroup % 2 == 1) sums[inputs / kGroup] = 0;
  }
}

// One tile of the strip from output n, as TileInt8. With kFirst the panel is filled on the way, and what the next strip
// reads is fetched meanwhile.
template <WeightFormat kFormat, std::size_t kHeight, bool kFirst>
__attribute__((noinline)) void TileCodes(const Matrix& w, std::size_t n, const CodePanel<kFormat>& panel,
                                         const CodeRows<std::uint8_t>& x, std::size_t row, const LinearOutput& output) {
  constexpr const TwoLevel& kForm = kLevels<kFormat>;
  constexpr bool kSumInWords = kCentre<kFormat> != 0;
  const std::size_t strip_bytes = kForm.CodeBytes(kStrip * w.inputs), strip_groups = kForm.StripGroupBytes(w.inputs);
  PackedStrip strip = StripOf<kFormat>(w, n);
  const std::int16_t* sums = panel.sums + row * panel.groups;
  const std::uint8_t* a = x.values + row * x.stride;
  const std::size_t a_stride = x.stride, groups = w.inputs / kForm.group;
  std::uint8_t* code = panel.codes;
  Levels previous;
  I acc[kHeight][1];
  StartTile(w, n, acc);
  for (std::size_t g = 0; g < groups; ++g) {
    Levels levels;
    if constexpr (kFirst) {
      levels = LoadLevels<kFormat, false>(strip.groups);
      StoreLine(panel.multipliers + 32 * g, levels.multipliers);
      Prefetch(strip.groups + strip_groups);
      strip.groups += kForm.GroupBytes();
    }
    const Multipliers multipliers = LoadMultipliers(panel.multipliers + 32 * g);
    I words[kHeight];  // The sums of products of the group, where they fit.
    const auto add_line = [&]<std::size_t kLine>(bool first) THIMBLE_LAMBDA {
      I codes;
      if constexpr (kFirst) {
        codes = SignedCodes<kFormat, kLine>(strip.codes);
        StoreLine(code, codes);
      } else {
        codes = LoadLine(code);
      }
      THIMBLE_UNROLL
      for (std::size_t i = 0; i < kHeight; ++i) {
        const I products = MultiplyBytes(LoadQuad(a + i * a_stride), codes);
        if constexpr (kSumInWords) {
          words[i] = first ? products : AddWords(words[i], products);
        } else {
          acc[i][0] = AddPairs(acc[i][0], products, multipliers);
        }
      }
      a += 4;
      code += 64;
    };
    const auto add_bundle = [&](bool first) THIMBLE_LAMBDA {
      ForEachIndex<kForm.bundle_lines()>(
          [&]<std::size_t kLine>() THIMBLE_LAMBDA { add_line.template operator()<kLine>(first && kLine == 0); });
      if constexpr (kFirst) {
        constexpr std::size_t kBytes = kBundleBytes<kFormat>;
        for (std::size_t i = 0; i < kBytes; i += 64) Prefetch(strip.codes + strip_bytes + i);
        strip.codes += kBytes;
      }
    };
    constexpr std::size_t kBundles = kForm.group / (4 * kForm.bundle_lines());
    if constexpr (kSumInWords) {
      THIMBLE_UNROLL
      for (std::size_t i = 0; i < kBundles; ++i) add_bundle(i == 0);
      THIMBLE_UNROLL
      for (std::size_t i = 0; i < kHeight; ++i) acc[i][0] = AddPairs(acc[i][0], words[i], multipliers);
    } else {
      for (std::size_t i = 0; i < kBundles; ++i) add_bundle(false);
    }
    if (g % 2 == 1 || g + 1 == groups) {
      std::int16_t* const rests = panel.rests + g / 2 * 32;
      // Behind the last of an odd number of groups the sums are 0.
      if constexpr (kFirst) StoreLine(rests, Rests<kFormat>(g % 2 == 1 ? previous : levels, levels));
      const I rest = LoadLine(rests);
      THIMBLE_UNROLL
      for (std::size_t i = 0; i < kHeight; ++i) {
        acc[i][0] = AddPair(acc[i][0], LoadQuad(sums + i * panel.groups + g / 2 * 2), rest);
      }
    }
    if constexpr (kFirst) previous = levels;
  }
  FinishTile(w, n, x.scale, acc, output, row);
}

// Calls f(rows, block) with blocks of at most `most` rows: their activations, and the output they go to.
template <typename Function>
THIMBLE_INLINE void ForEachBlock(const QuantizedRows& x, const LinearOutput& output, std::size_t most, Function f) {
  LinearOutput block = output;
  for (std::size_t begin = 0; begin < output.rows; begin += block.rows, block.out += block.rows * block.stride) {
    block.rows = std::min(output.rows - begin, most);
    f(CodeRows<std::uint8_t>{x.values + begin * x.stride, x.stride, x.scale + begin}, block);
  }
}

template <WeightFormat kFormat>
void LinearCodes(const Matrix& w, const QuantizedRows& x, const LinearOutput& output, std::int8_t* memory) {
  const CodePanel<kFormat> panel(w.inputs, memory);
  ForEachBlock(x, output, kSummedRows, [&](const CodeRows<std::uint8_t>& rows, const LinearOutput& block) {
    SumGroups(panel, rows, block.rows, w.inputs);
    for (std::size_t n = block.begin; n < block.end; n += kStrip) {
      ForEachTile<kTileRows>(block.rows, [&]<std::size_t kHeight>(std::size_t row, std::size_t tile) {
        if (tile == 0) {
          TileCodes<kFormat, kHeight, true>(w, n, panel, rows, row, block);
        } else {
          TileCodes<kFormat, kHeight, false>(w, n, panel, rows, row, block);
        }
      });
    }
  });
}

// Strips of bytes, and the panel that has them as words.
struct Words {
  const std::int8_t* bytes;
  LineWeight* panel;
};

// Memory gives lines more slowly than one tile takes them: so many tiles share the fetching of the next strips.
inline constexpr std::size_t kFetchingTiles = 4;
// Of so many lines each of these tiles fetches a part at once.
inline constexpr std::size_t kFetchedLines = 4;

// One tile of kWidth strips from output n, as TileInt8, which fetches part `part` of `parts` of the next strips. With
// kFirst the panel is filled on the way.
template <std::size_t kHeight, std::size_t kWidth, bool kFirst>
__attribute__((noinline)) void TileWords(const Matrix& w, std::size_t n, const Words& words, const CodeRows<Code>& x,
                                         std::size_t row, std::size_t part, std::size_t parts,
                                         const LinearOutput& output) {
  const std::size_t strip = kStrip * w.inputs, a_stride = x.stride;
  const std::size_t fetched = part < parts ? 64 * kFetchedLines / parts : 0;
  const std::int8_t *bytes = words.bytes, *next = bytes + kWidth * strip + part * fetched;
  LineWeight* line = words.panel;
  I acc[kHeight][kWidth];
  StartTile(w, n, acc);
  const Code* a = x.values + row * a_stride;
  for (const Code* end = a + w.inputs; a != end; next += 64 * kFetchedLines) {
    for (std::size_t i = 0; i < fetched; i += 64) {
      THIMBLE_UNROLL
      for (std::size_t j = 0; j < kWidth; ++j) Prefetch(next + j * strip + i);
    }
    for (const Code* lines_end = a + 4 * kFetchedLines; a != lines_end;
         a += kProductInputs, line += 128, bytes += 128) {
      ForEachIndex<4>([&]<std::size_t kPair>() THIMBLE_LAMBDA {
        I b[kWidth];
        THIMBLE_UNROLL
        for (std::size_t j = 0; j < kWidth; ++j) {
          LineWeight* const half = line + j * strip + 32 * kPair;
          if constexpr (kFirst) {
            b[j] = WidenPair<kPair % 2>(LoadLine(bytes + j * strip + kPair / 2 * 64));
            StoreLine(half, b[j]);
          } else {
            b[j] = LoadLine(half);
          }
        }
        AddHalfLines<kPair>(a, a_stride, b, acc);
      });
    }
  }
  FinishTile(w, n, x.scale, acc, output, row);
}

// One row of the strip from output n.
__attribute__((noinline)) inline void RowWords(const Matrix& w, std::size_t n, const CodeRows<Code>& x,
                                               const LinearOutput& output) {
  I acc[1][1];
  StartTile(w, n, acc);
  acc[0][0] = AddRow(acc[0][0], static_cast<const std::int8_t*>(w.weights) + n * w.inputs, x.values, w.inputs);
  FinishTile(w, n, x.scale, acc, output, 0);
}

// Activations of so many bytes are widened at a time, but at most a block of the encoder: of 384 inputs 64 rows, of
// 1536 inputs 16, which share the work on a panel; so many do of wider ones.
inline constexpr std::size_t kWideBytes = 48 * 1024, kLeastWideRows = 16, kMostWideRows = 64;

inline std::size_t WideRows(std::size_t inputs) {
  const std::size_t rows = std::clamp(kWideBytes / (inputs * sizeof(Code)), kLeastWideRows, kMostWideRows);
  return rows / kTileRows * kTileRows;
}

inline void LinearBytes(const Matrix& w, const QuantizedRows& x, const LinearOutput& output, std::int8_t* panel) {
  LineWeight* const lines = reinterpret_cast<LineWeight*>(panel);
  Code* const wide = lines + kTileStrips * kStrip * w.inputs;
  ForEachBlock(x, output, WideRows(w.inputs), [&](const CodeRows<std::uint8_t>& codes, const LinearOutput& block) {
    for (std::size_t row = 0; row < block.rows; ++row) {
      const std::uint8_t* a = codes.values + row * codes.stride;
      for (std::size_t k = 0; k < w.inputs; k += 16) WidenCodes(a + k, wide + row * w.inputs + k);
    }
    const CodeRows<Code> rows = {wide, w.inputs, codes.scale};
    if (block.rows == 1) {
      for (std::size_t n = block.begin; n < block.end; n += kStrip) RowWords(w, n, rows, block);
      return;
    }
    const std::size_t parts = std::min(std::bit_floor(TileCount<kTileRows>(block.rows)), kFetchingTiles);
    ForEachPanel(block.begin, block.end, [&]<std::size_t kWidth>(std::size_t n) {
      const Words words = {static_cast<const std::int8_t*>(w.weights) + n * w.inputs, lines};
      ForEachTile<kTileRows>(block.rows, [&]<std::size_t kHeight>(std::size_t row, std::size_t tile) {
        if (tile == 0) {
          TileWords<kHeight, kWidth, true>(w, n, words, rows, row, tile, parts, block);
        } else {
          TileWords<kHeight, kWidth, false>(w, n, words, rows, row, tile, parts, block);
        }
      });
    });
  });
}

inline std::size_t PanelBytes(std::size_t inputs) {
  std::size_t most = (kTileStrips * kStrip + WideRows(inputs)) * inputs * sizeof(std::int16_t);
  ForEachIndex<std::size(format::kTwoLevelFormats)>([&]<std::size_t kIndex>() {
    most = std::max(most, CodePanel<format::kTwoLevelFormats[kIndex].format>::Bytes(inputs));
  });
  return base::RoundUp(most, 64);
}

inline void LinearInt8(const Matrix& w, const QuantizedRows& x, const LinearOutput& output, std::int8_t* panel) {
  if (w.format == WeightFormat::kQ8) return LinearBytes(w, x, output, panel);
  WithFormat(w.format, [&]<WeightFormat kFormat>() { LinearCodes<kFormat>(w, x, output, panel); });
}
