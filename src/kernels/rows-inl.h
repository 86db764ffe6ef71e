// Functions on whole rows: embedding look-up, LayerNorm, rotation with quantisation, pooling.

// The int8 values of 16 codes of a table row from column k, a multiple of 16.
template <WeightFormat kFormat>
THIMBLE_INLINE F LoadCodes(const std::uint8_t* row, std::size_t width, std::size_t k) {
  constexpr TwoLevel kForm = format::RowLevels(kFormat);
  const std::size_t line = k / 16 % kForm.bundle_lines();
  const std::uint8_t* bundle = row + k / 16 / kForm.bundle_lines() * kForm.stored_lines() * 16;
  std::uint8_t codes[16];
  if (line < kForm.stored_lines()) {
    for (std::size_t i = 0; i < 16; ++i) codes[i] = kForm.StoredCode(bundle[16 * line + i]);
  } else {
    for (std::size_t i = 0; i < 16; ++i) codes[i] = kForm.LastCode(bundle + i, 16);
  }
  const int multiplier = kForm.Multiplier(row + kForm.CodeBytes(width), k / kForm.group);
  std::int8_t values[16];
  for (std::size_t i = 0; i < 16; ++i) values[i] = static_cast<std::int8_t>(multiplier * (codes[i] - kForm.half()));
  return LoadInt8(values);
}

// 16 values of a table row from column k.
THIMBLE_INLINE F LoadTable(const Table& table, std::size_t row, F scale, std::size_t k) {
  const std::size_t index = row * table.width + k;
  if (table.format == WeightFormat::kF32) return Load(static_cast<const float*>(table.values) + index);
  if (table.format == WeightFormat::kF16) return LoadHalf(static_cast<const std::uint16_t*>(table.values) + index);
  if (table.format == WeightFormat::kQ8) {
    return Mul(LoadInt8(static_cast<const std::int8_t*>(table.values) + index), scale);
  }
  return WithFormat(table.format, [&]<WeightFormat kFormat>() THIMBLE_LAMBDA {
    const auto* bytes = static_cast<const std::uint8_t*>(table.values) + row * format::RowBytes(kFormat, table.width);
    return Mul(LoadCodes<kFormat>(bytes, table.width, k), scale);
  });
}

THIMBLE_INLINE F RowScale(const Table& table, std::size_t row) {
  return Set(table.scale == nullptr ? 1.0f : HalfToFloat(table.scale[row]));
}

inline void Embed(const Table& words, const Table& positions, const float* offset, std::span<const std::int32_t> ids,
                  float* out) {
  for (std::size_t m = 0; m < ids.size(); ++m, out += words.width) {
    auto id = static_cast<std::size_t>(ids[m]);
    F word_scale = RowScale(words, id);
    F position_scale = RowScale(positions, m);
    for (std::size_t k = 0; k < words.width; k += 16) {
      F place = Add(LoadTable(positions, m, position_scale, k), Load(offset + k));
      Store(out + k, Add(LoadTable(words, id, word_scale, k), place));
    }
  }
}

// LayerNorm of one row; kVectors is its length in vectors, or 0 for any `width`. A known length stays in registers.
template <std::size_t kVectors>
THIMBLE_INLINE void LayerNormRow(float* x, const float* gamma, const float* beta, float epsilon, std::size_t width) {
  const std::size_t vectors = kVectors == 0 ? width / 16 : kVectors;
  const float count = static_cast<float>(16 * vectors);
  F v[kVectors == 0 ? 1 : kVectors];
  // Four sums side by side: one would wait for itself. `vectors` is a multiple of four.
  F sum[4] = {Set(0.0f), Set(0.0f), Set(0.0f), Set(0.0f)};
  THIMBLE_UNROLL
  for (std::size_t i = 0; i < vectors; ++i) {
    F value = Load(x + 16 * i);
    if constexpr (kVectors > 0) v[i] = value;
    sum[i % 4] = Add(sum[i % 4], value);
  }
  const F mean = Set(ReduceAdd(Add(Add(sum[0], sum[1]), Add(sum[2], sum[3]))) / count);
  F squares[4] = {Set(0.0f), Set(0.0f), Set(0.0f), Set(0.0f)};
  THIMBLE_UNROLL
  for (std::size_t i = 0; i < vectors; ++i) {
    F d = Sub(kVectors > 0 ? v[kVectors > 0 ? i : 0] : Load(x + 16 * i), mean);
    squares[i % 4] = Fma(d, d, squares[i % 4]);
  }
  const F square_sum = Add(Add(squares[0], squares[1]), Add(squares[2], squares[3]));
  const F inverse = Set(1.0f / std::sqrt(ReduceAdd(square_sum) / count + epsilon));
  THIMBLE_UNROLL
  for (std::size_t i = 0; i < vectors; ++i) {
    F y = Mul(Sub(kVectors > 0 ? v[kVectors > 0 ? i : 0] : Load(x + 16 * i), mean), inverse);
    Store(x + 16 * i, Fma(y, Load(gamma + 16 * i), Load(beta + 16 * i)));
  }
}

inline void LayerNorm(float* x, const float* gamma, const float* beta, float epsilon, std::size_t rows,
                      std::size_t width) {
  for (std::size_t m = 0; m < rows; ++m, x += width) {
    if (width == 384) {
      LayerNormRow<24>(x, gamma, beta, epsilon, width);
    } else {
      LayerNormRow<0>(x, gamma, beta, epsilon, width);
    }
  }
}

// H(kVectors) over that many vectors `step` floats apart, then H4 within the lanes; in place.
template <std::size_t kVectors>
THIMBLE_INLINE void RotateBlock(F (&v)[kVectors]) {
  THIMBLE_UNROLL
  for (std::size_t h = 1; h < kVectors; h *= 2) {
    THIMBLE_UNROLL
    for (std::size_t j = 0; j < kVectors; ++j) {
      if ((j & h) == 0) {
        F a = v[j], b = v[j + h];
        v[j] = Add(a, b);
        v[j + h] = Sub(a, b);
      }
    }
  }
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kVectors; ++j) v[j] = ButterflyTwo(ButterflyOne(v[j]));
}

// out = x rotated, for one row; returns the largest magnitude in each lane.
template <std::size_t kVectors>
F RotateRow(const float* x, std::size_t width, bool three, float* out) {
  const std::size_t third = three ? width / 3 : 0;
  F largest = Set(0.0f);
  for (std::size_t k = 0; k < (three ? third : width); k += 16 * kVectors) {
    if (!three) {
      F v[kVectors];
      THIMBLE_UNROLL
      for (std::size_t j = 0; j < kVectors; ++j) v[j] = Load(x + k + 16 * j);
      RotateBlock(v);
      THIMBLE_UNROLL
      for (std::size_t j = 0; j < kVectors; ++j) {
        Store(out + k + 16 * j, v[j]);
        largest = Max(largest, Abs(v[j]));
      }
      continue;
    }
    F v[3][kVectors];
    THIMBLE_UNROLL
    for (std::size_t t = 0; t < 3; ++t) {
      THIMBLE_UNROLL
      for (std::size_t j = 0; j < kVectors; ++j) v[t][j] = Load(x + t * third + k + 16 * j);
      RotateBlock(v[t]);
    }
    THIMBLE_UNROLL
    for (std::size_t j = 0; j < kVectors; ++j) {
      F a = v[0][j], b = v[1][j], c = v[2][j];
      F outer = Add(a, c);
      F inner = FmaThroughDouble(b, Set(-2.0f), outer);  // Of two floats: see vector_scalar-inl.h.
      F t0 = Mul(Add(outer, b), Set(0.577350269f));      // 1 / sqrt 3
      F t1 = Mul(Sub(a, c), Set(0.707106781f));          // 1 / sqrt 2
      F t2 = Mul(inner, Set(0.408248290f));              // 1 / sqrt 6
      Store(out + k + 16 * j, t0);
      Store(out + third + k + 16 * j, t1);
      Store(out + 2 * third + k + 16 * j, t2);
      largest = Max(largest, Max(Abs(t0), Max(Abs(t1), Abs(t2))));
    }
  }
  return largest;
}

THIMBLE_INLINE F Rotate(const float* x, std::size_t width, const Rotation& rotation, float* out) {
  switch (rotation.vectors) {
    case 8:
      return RotateRow<8>(x, width, rotation.three, out);
    case 4:
      return RotateRow<4>(x, width, rotation.three, out);
    case 2:
      return RotateRow<2>(x, width, rotation.three, out);
    default:
      return RotateRow<1>(x, width, rotation.three, out);
  }
}

THIMBLE_INLINE F LargestOfRow(const float* x, std::size_t width) {
  F largest = Set(0.0f);
  for (std::size_t k = 0; k < width; k += 16) largest = Max(largest, Abs(Load(x + k)));
  return largest;
}

// The factor from values to codes of rows whose largest magnitudes are given. A row of (nearly) zeros gets one that
// keeps its codes within 127 and itself finite.
THIMBLE_INLINE F CodeFactor(F largest) { return Div(Set(127.0f), Max(largest, Set(1e-30f))); }

inline void Quantize(const float* x, std::size_t rows, std::size_t width, const Rotation* rotation, float* workspace,
                     const QuantizedRows& out) {
  for (std::size_t m = 0; m < rows; ++m, x += width) {
    const float* row = rotation == nullptr ? x : workspace;
    F lanes = rotation == nullptr ? LargestOfRow(x, width) : Rotate(x, width, *rotation, workspace);
    float largest = ReduceMax(lanes);
    out.scale[m] = largest / 127.0f;
    F factor = CodeFactor(Set(largest));
    std::uint8_t* values = out.values + m * out.stride;
    for (std::size_t k = 0; k < width; k += 16) StoreBytesOffset(values + k, ToInt(Mul(Load(row + k), factor)));
  }
}

template <Activation kActivation>
THIMBLE_INLINE F Activated(F x) {
  if constexpr (kActivation == Activation::kGelu) return Gelu(x);
  if constexpr (kActivation == Activation::kGeluTanh) {  // 2 sqrt(2 / pi), and 0.044715 times that.
    return TimesSigmoid(x, Mul(x, Fma(Mul(x, x), Set(0.0713548163f), Set(1.59576912f))));
  }
  if constexpr (kActivation == Activation::kQuickGelu) return TimesSigmoid(x, Mul(x, Set(1.702f)));
  if constexpr (kActivation == Activation::kSilu) return TimesSigmoid(x, x);
  if constexpr (kActivation == Activation::kRelu) return Max(x, Set(0.0f));
  // tanh(x) = 1 - 2 s(-2 x)
  return Sub(Set(1.0f), TimesSigmoid(Set(2.0f), Mul(x, Set(-2.0f))));
}

template <Activation kActivation>
inline void ActivateAll(float* x, std::size_t count) {
  for (std::size_t k = 0; k < count; k += 16) Store(x + k, Activated<kActivation>(Load(x + k)));
}

inline void Activate(Activation activation, float* x, std::size_t count) {
  switch (activation) {
    case Activation::kGelu:
      return ActivateAll<Activation::kGelu>(x, count);
    case Activation::kGeluTanh:
      return ActivateAll<Activation::kGeluTanh>(x, count);
    case Activation::kQuickGelu:
      return ActivateAll<Activation::kQuickGelu>(x, count);
    case Activation::kSilu:
      return ActivateAll<Activation::kSilu>(x, count);
    case Activation::kRelu:
      return ActivateAll<Activation::kRelu>(x, count);
    case Activation::kTanh:
      return ActivateAll<Activation::kTanh>(x, count);
  }
}

inline void Sum(const float* x, std::size_t rows, std::size_t width, float factor, float* out) {
  for (std::size_t k = 0; k < width; k += 16) {
    F sum = Set(0.0f);
    for (std::size_t m = 0; m < rows; ++m) sum = Add(sum, Load(x + m * width + k));
    Store(out + k, Mul(sum, Set(factor)));
  }
}

inline void WeightedMean(const float* x, std::size_t rows, std::size_t width, std::size_t first, float* out) {
  // The sum of rows numbers from `first` on.
  const std::size_t twice = rows * (2 * first + rows - 1);
  const float weights = static_cast<float>(twice) / 2;
  for (std::size_t k = 0; k < width; k += 16) {
    F sum = Set(0.0f);
    for (std::size_t m = 0; m < rows; ++m) {
      sum = Fma(Load(x + m * width + k), Set(static_cast<float>(first + m)), sum);
    }
    Store(out + k, Div(sum, Set(weights)));
  }
}

inline void Largest(const float* x, std::size_t rows, std::size_t width, float* out) {
  for (std::size_t k = 0; k < width; k += 16) {
    F largest = Load(x + k);
    for (std::size_t m = 1; m < rows; ++m) largest = Max(largest, Load(x + m * width + k));
    Store(out + k, largest);
  }
}

inline void Normalize(float* x, std::size_t width) {
  F squares = Set(0.0f);
  for (std::size_t k = 0; k < width; k += 16) {
    F v = Load(x + k);
    squares = Fma(v, v, squares);
  }
  float length = std::sqrt(ReduceAdd(squares));
  F inverse = Set(1.0f / (length > 1e-12f ? length : 1e-12f));
  for (std::size_t k = 0; k < width; k += 16) Store(x + k, Mul(Load(x + k), inverse));
}
