// The table of a set, of everything above.

constexpr Kernels MakeKernels(std::string_view name, bool (*supported)()) {
  return {.name = name,
          .supported = supported,
          .linear_int8 = LinearInt8,
          .panel_bytes = PanelBytes,
          .linear_float = LinearFloat,
          .embed = Embed,
          .layer_norm = LayerNorm,
          .quantize = Quantize,
          .attention_int8 = AttentionInt8,
          .attention_float = AttentionFloat,
          .attention_bytes = AttentionBytes,
          .activate = Activate,
          .sum = Sum,
          .weighted_mean = WeightedMean,
          .largest = Largest,
          .normalize = Normalize};
}
