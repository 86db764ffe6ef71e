// Attention of one head over one sequence: softmax(Q K^T) V, with scores in log2 units. Keys are laid out as the strips
// of a weight matrix with one output for each token, values as one with an input for each token.

// Strips of 16 keys, or of 16 columns of values, that are done together.
inline constexpr std::size_t kAttentionStrips = std::min<std::size_t>(kTileStrips, 2);

// Hands out pieces of the caller's scratch, each on a cache line of its own.
class ScratchCursor {
 public:
  explicit ScratchCursor(std::byte* begin) : next_(begin) {}
  template <typename T>
  T* Take(std::size_t count) {
    T* piece = reinterpret_cast<T*>(next_);
    next_ += base::RoundUp(count * sizeof(T), 64);
    return piece;
  }

 private:
  std::byte* next_;
};

inline std::size_t AttentionBytes(std::size_t tokens, std::size_t width) {
  const std::size_t padded = base::RoundUp(tokens, 16);
  const std::size_t codes = padded * width * (sizeof(Code) + 2 * sizeof(LineWeight)) + 4 * padded * sizeof(float);
  const std::size_t int8_bytes = codes + kTileRows * padded * (sizeof(float) + sizeof(Code));
  const std::size_t float_bytes = (width + kTileRows) * padded * sizeof(float);
  constexpr std::size_t kLines = 9 * 64;  // Every piece starts on a cache line.
  return base::RoundUp(std::max(int8_bytes, float_bytes) + kLines, 64);
}

struct Int8Head {
  std::size_t tokens, queries, padded;  // padded: a multiple of 16.
  std::size_t width;
  const float* bias;       // As in AttentionHead.
  Code* query;             // [tokens][width], + 128
  float* query_scale;      // [padded]
  LineWeight* key;         // [padded/16][width/4][16][4]
  float* key_scale;        // [padded], 0 behind the last token
  std::int32_t* key_comp;  // [padded]: -128 times the sum of a token's key
  LineWeight* value;       // [padded/4][width/16][16][4]
  float* value_scale;      // [padded], 0 behind the last token
  // [width] 128 times the sum of a column of values, where the products are of signed bytes.
  alignas(64) std::int32_t value_comp[kSigned ? kMaxHeadWidth : 16];
  float* score;       // [kTileRows][padded]
  Code* probability;  // [kTileRows][padded]
};

// Of 16 rows: scales, and factors from values to codes; both are 0 from row `present` on.
THIMBLE_INLINE void ScaleRows(const float* const (&rows)[16], std::size_t width, std::size_t present, float* scale,
                              float* factor) {
  F largest[16];
  THIMBLE_UNROLL
  for (std::size_t i = 0; i < 16; ++i) largest[i] = Abs(Load(rows[i]));
  for (std::size_t k = 16; k < width; k += 16) {
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < 16; ++i) largest[i] = Max(largest[i], Abs(Load(rows[i] + k)));
  }
  const F magnitude = ReduceMaxRows(largest);
  Store(factor, KeepLanes(CodeFactor(magnitude), present, 0.0f));
  Store(scale, KeepLanes(Div(magnitude, Set(127.0f)), present, 0.0f));
}

// Makes the codes of a head. Sixteen tokens go together: their scales and factors are vectors.
inline Int8Head QuantizeHead(const AttentionHead& head, std::byte* scratch) {
  ScratchCursor cursor(scratch);
  Int8Head q;
  q.tokens = head.tokens;
  q.queries = head.queries;
  q.padded = base::RoundUp(head.tokens, 16);
  q.width = head.width;
  q.bias = head.bias;
  q.query = cursor.Take<Code>(q.tokens * q.width);
  q.query_scale = cursor.Take<float>(q.padded);
  q.key = cursor.Take<LineWeight>(q.padded * q.width);
  q.key_scale = cursor.Take<float>(q.padded);
  q.key_comp = cursor.Take<std::int32_t>(q.padded);
  q.value = cursor.Take<LineWeight>(q.padded * q.width);
  q.value_scale = cursor.Take<float>(q.padded);
  q.score = cursor.Take<float>(kTileRows * q.padded);
  q.probability = cursor.Take<Code>(kTileRows * q.padded);
  std::int8_t* const key = LineBytes(q.key, q.padded * q.width);
  std::int8_t* const value = LineBytes(q.value, q.padded * q.width);

  for (std::size_t begin = 0; begin < q.padded; begin += 16) {
    // Behind the last token its row stands in, with a factor of 0.
    const float* rows[16];
    for (std::size_t i = 0; i < 16; ++i) {
      rows[i] = head.qkv + (begin + i < q.tokens ? begin + i : q.tokens - 1) * head.qkv_stride;
    }
    const std::size_t present = q.tokens - begin;
    const std::size_t queries = q.queries > begin ? q.queries - begin : 0;
    alignas(64) float query_factor[16], key_factor[16], value_factor[16];
    if (queries > 0) ScaleRows(rows, q.width, queries, q.query_scale + begin, query_factor);
    for (const float*& row : rows) row += q.width;
    ScaleRows(rows, q.width, present, q.key_scale + begin, key_factor);
    for (const float*& row : rows) row += q.width;
    ScaleRows(rows, q.width, present, q.value_scale + begin, value_factor);
    for (std::size_t i = 0; i < 16 && i < queries; ++i) {
      const float* row = rows[i] - 2 * q.width;
      F f = Set(query_factor[i]);
      for (std::size_t k = 0; k < q.width; k += 16) {
        StoreQuery(q.query + (begin + i) * q.width + k, ToInt(Mul(Load(row + k), f)));
      }
    }
    for (std::size_t i = 0; i < 16; i += 4) {
      for (std::size_t k = 0; k < q.width; k += 16) {
        I keys[4], values[4];
        THIMBLE_UNROLL
        for (std::size_t j = 0; j < 4; ++j) {
          keys[j] = ToInt(Mul(Load(rows[i + j] - q.width + k), Set(key_factor[i + j])));
          values[j] = ToInt(Mul(Load(rows[i + j] + k), Set(value_factor[i + j])));
        }
        StoreQuads(keys, key + begin * q.width + 16 * k + 4 * i);
        StoreColumns(values, value + (begin + i) * q.width + 4 * k);
      }
    }
  }
  FinishLines(q.key, q.padded * q.width);
  FinishLines(q.value, q.padded * q.width);
  if constexpr (kSigned) {
    for (std::size_t k = 0; k < q.width; k += 16) {
      StoreI(q.value_comp + k, TimesMinus128(SumOfLines(q.value + 4 * k, 4 * q.width, q.padded / 4)));
    }
  } else {
    for (std::size_t t = 0; t < q.padded; t += 16) {
      StoreI(q.key_comp + t, TimesMinus128(SumOfLines(q.key + t * q.width, 64, q.width / 4)));
    }
  }
  return q;
}

// What scores behind the last token are set to: their exponentials vanish.
inline constexpr float kNoScore = -1e30f;

// The sums of ScoreTile as scores, and their bias added.
template <bool kBias, std::size_t kHeight, std::size_t kWidth>
THIMBLE_INLINE void StoreScores(const Int8Head& q, std::size_t row, std::size_t t, const I (&acc)[kHeight][kWidth],
                                F (&largest)[kHeight]) {
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    const std::size_t begin = t + 16 * j;
    const bool last = begin + 16 > q.tokens;
    F scale = Load(q.key_scale + begin);
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) {
      F score = Mul(ToFloat(acc[i][j]), scale);
      const F query_scale = Set(q.query_scale[row + i]);
      if constexpr (kBias) {
        F bias = Load(q.bias + begin - (row + i));
        if (last) bias = KeepLanes(bias, q.tokens - begin, kNoScore);
        score = Fma(score, query_scale, bias);
      } else {
        score = Mul(score, query_scale);
        if (last) score = KeepLanes(score, q.tokens - begin, kNoScore);
      }
      largest[i] = Max(largest[i], score);
      Store(q.score + i * q.padded + begin, score);
    }
  }
}

// Scores of kWidth strips of keys from token t on, for queries [row, row + kHeight); `largest` is kept up.
template <std::size_t kHeight, std::size_t kWidth>
THIMBLE_INLINE void ScoreTile(const Int8Head& q, std::size_t row, std::size_t t, F (&largest)[kHeight]) {
  I acc[kHeight][kWidth];
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    I comp = FirstSum(q.key_comp + t + 16 * j);
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) acc[i][j] = comp;
  }
  AddProducts<kHeight, kWidth, false>({q.key + t * q.width, 64, 16 * q.width}, q.query + row * q.width, q.width,
                                      q.width, acc);
  if (q.bias == nullptr) {
    StoreScores<false>(q, row, t, acc, largest);
  } else {
    StoreScores<true>(q, row, t, acc, largest);
  }
}

template <std::size_t kHeight, std::size_t kWidth>
THIMBLE_INLINE void ValueTile(const Int8Head& q, const float* factor, std::size_t column, float* out,
                              std::size_t out_stride) {
  I acc[kHeight][kWidth];
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    I first = kSigned ? LoadI(q.value_comp + column + 16 * j) : Zero();
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) acc[i][j] = first;
  }
  // Behind the last token probabilities are 0.
  AddProducts<kHeight, kWidth, false>({q.value + 4 * column, 4 * q.width, 64}, q.probability, q.padded,
                                      base::RoundUp(q.tokens, kProductInputs), acc);
  THIMBLE_UNROLL
  for (std::size_t i = 0; i < kHeight; ++i) {
    THIMBLE_UNROLL
    for (std::size_t j = 0; j < kWidth; ++j) {
      Store(out + i * out_stride + column + 16 * j, Mul(ToFloat(acc[i][j]), Set(factor[i])));
    }
  }
}

// Queries [row, row + kHeight).
template <std::size_t kHeight>
void AttendInt8(const Int8Head& q, std::size_t row, float* out, std::size_t out_stride) {
  F largest[kHeight], sum[kHeight], most[kHeight];
  THIMBLE_UNROLL
  for (std::size_t i = 0; i < kHeight; ++i) {
    largest[i] = Set(kNoScore);
    sum[i] = most[i] = Set(0.0f);
  }
  std::size_t t = 0;
  for (; t + 16 * kAttentionStrips <= q.padded; t += 16 * kAttentionStrips)
    ScoreTile<kHeight, kAttentionStrips>(q, row, t, largest);
  if constexpr (kAttentionStrips > 1) {
    for (; t < q.padded; t += 16) ScoreTile<kHeight, 1>(q, row, t, largest);
  }
  alignas(64) float top[16], to_byte[16], factor[16];
  Store(top, ReduceMaxRows(largest));
  for (t = 0; t < q.padded; t += 16) {
    F value_scale = Load(q.value_scale + t);
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) {
      float* score = q.score + i * q.padded + t;
      F e = Exp2Fast(Sub(Load(score), Set(top[i])));
      sum[i] = Add(sum[i], e);
      e = Mul(e, value_scale);
      most[i] = Max(most[i], e);
      Store(score, e);
    }
  }
  // Probability times value scale as a byte, 255 at the largest of this query. Not of all: what most queries look at
  // often has the smallest values, and would leave the others a few of the 255 steps.
  const F most_of_rows = ReduceMaxRows(most);
  Store(to_byte, Div(Set(255.0f), Max(most_of_rows, Set(1e-30f))));
  Store(factor, Div(Div(most_of_rows, Set(255.0f)), ReduceAddRows(sum)));
  for (t = 0; t < q.padded; t += 16) {
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) {
      const std::size_t place = i * q.padded + t;
      StoreProbability(q.probability + place, ToInt(Mul(Load(q.score + place), Set(to_byte[i]))));
    }
  }
  for (std::size_t k = 0; k < q.width; k += 16 * kAttentionStrips) {
    ValueTile<kHeight, kAttentionStrips>(q, factor, k, out, out_stride);
  }
}

inline void AttentionInt8(const AttentionHead& head, std::byte* scratch) {
  Int8Head q = QuantizeHead(head, scratch);
  for (std::size_t row = 0; row < head.queries; row += kTileRows) {
    const std::size_t height = std::min(head.queries - row, kTileRows);
    WithHeight<kTileRows>(height, [&]<std::size_t kHeight>() {
      AttendInt8<kHeight>(q, row, head.out + row * head.out_stride, head.out_stride);
    });
  }
}

// Queries [row, row + kHeight) in float; `key` is [padded/16][width][16], `score` [kHeight][padded].
template <std::size_t kHeight>
void AttendFloat(const AttentionHead& head, const float* key, float* score, std::size_t row) {
  const std::size_t padded = base::RoundUp(head.tokens, 16);
  const std::size_t stride = head.qkv_stride;
  const float* query = head.qkv + row * stride;
  for (std::size_t t = 0; t < padded; t += 16) {
    F acc[kHeight];
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) {
      acc[i] = head.bias == nullptr ? Set(0.0f) : Load(head.bias + t - (row + i));
    }
    for (std::size_t k = 0; k < head.width; ++k) {
      F b = Load(key + t * head.width + 16 * k);
      THIMBLE_UNROLL
      for (std::size_t i = 0; i < kHeight; ++i) acc[i] = Fma(Set(query[i * stride + k]), b, acc[i]);
    }
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) Store(score + i * padded + t, acc[i]);
  }
  float inverse[kHeight];
  for (std::size_t i = 0; i < kHeight; ++i) {
    float* s = score + i * padded;
    F last = KeepLanes(Load(s + padded - 16), head.tokens - (padded - 16), kNoScore);
    Store(s + padded - 16, last);
    F highest = last;
    for (std::size_t t = 0; t < padded - 16; t += 16) highest = Max(highest, Load(s + t));
    const F largest = Set(ReduceMax(highest));
    F sum = Set(0.0f);
    for (std::size_t t = 0; t < padded; t += 16) {
      F e = Exp2(Sub(Load(s + t), largest));
      sum = Add(sum, e);
      Store(s + t, e);
    }
    inverse[i] = 1.0f / ReduceAdd(sum);
  }
  for (std::size_t k = 0; k < head.width; k += 16) {
    const float* value = head.qkv + 2 * head.width + k;
    F acc[kHeight];
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) acc[i] = Set(0.0f);
    for (std::size_t t = 0; t < head.tokens; ++t) {
      F b = Load(value + t * stride);
      THIMBLE_UNROLL
      for (std::size_t i = 0; i < kHeight; ++i) acc[i] = Fma(Set(score[i * padded + t]), b, acc[i]);
    }
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) {
      Store(head.out + (row + i) * head.out_stride + k, Mul(acc[i], Set(inverse[i])));
    }
  }
}

inline void AttentionFloat(const AttentionHead& head, std::byte* scratch) {
  const std::size_t padded = base::RoundUp(head.tokens, 16);
  ScratchCursor cursor(scratch);
  float* key = cursor.Take<float>(padded * head.width);
  float* score = cursor.Take<float>(kTileRows * padded);
  for (std::size_t t = 0; t < padded; ++t) {
    float* column = key + t / 16 * 16 * head.width + t % 16;
    const float* row = head.qkv + t * head.qkv_stride + head.width;
    for (std::size_t k = 0; k < head.width; ++k) column[16 * k] = t < head.tokens ? row[k] : 0.0f;
  }
  for (std::size_t row = 0; row < head.queries; row += kTileRows) {
    const std::size_t height = std::min(head.queries - row, kTileRows);
    WithHeight<kTileRows>(height, [&]<std::size_t kHeight>() { AttendFloat<kHeight>(head, key, score, row); });
  }
}
