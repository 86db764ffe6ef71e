// Matrix products of int8 where unpacking among the dot products would cost more than before them: those of q6 and q4
// are those of q8, with a panel.

inline std::size_t PanelBytes(std::size_t inputs) { return kTileStrips * kStrip * inputs; }

inline void LinearInt8(const Matrix& w, const QuantizedRows& x, const LinearOutput& output, std::int8_t* panel) {
  const CodeRows<Code> rows = {x.values, x.stride, x.scale};
  ForEachPanel(output.begin, output.end, [&]<std::size_t kWidth>(std::size_t n) {
    const Lines lines = LinesOf<kWidth>(w, n, panel);
    if (lines.first == panel) {
      PanelInt8<kWidth, false>(w, n, lines, rows, output, 0);
    } else {
      PanelInt8<kWidth, true>(w, n, lines, rows, output, 0);
    }
  });
}
