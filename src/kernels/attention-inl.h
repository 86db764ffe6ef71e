// Attention of one head over one sequence: softmax(Q K^T) V, with scores in log2 units. Keys are laid out as the strips
// of a weight matrix with one output for each token, values as one with an input for each token.

// Hands out pieces of the caller's scratch, each on a cache line of its own.
class ScratchCursor {
 public:
  explicit ScratchCursor(std::byte* begin) : next_(begin) {}
  template <typename T>
  T* Take(std::size_t count) {
    T* piece = reinterpret_cast<T*>(next_);
    next_ += RoundUp(count * sizeof(T), 64);
    return piece;
  }

 private:
  std::byte* next_;
};

struct Int8Head {
  std::size_t tokens, queries, padded;  // padded: a multiple of 16.
  std::size_t width;
  std::uint8_t* query;     // [tokens][width], + 128
  float* query_scale;      // [padded]
  std::int8_t* key;        // [padded/16][width/4][16][4]
  float* key_scale;        // [padded], 0 behind the last token
  std::int32_t* key_comp;  // [padded]: -128 times the sum of a token's key
  std::int8_t* value;      // [padded/4][width/16][16][4]
  float* value_scale;      // [padded], 0 behind the last token
  // [width] 128 times the sum of a column of values, where the products are of signed bytes.
  alignas(64) std::int32_t value_comp[kSigned ? kMaxHeadWidth : 16];
  float* score;               // [kAttentionRows][padded]
  std::uint8_t* probability;  // [kAttentionRows][padded]
};

// Codes of four tokens, row by row.
using Codes = std::int8_t[4][kMaxHeadWidth];

// Puts the codes of tokens [t, t + 4) into the lines of keys (a quad for each token) and of values (a quad for each
// column).
THIMBLE_INLINE void StoreLines(const Int8Head& q, const Codes& keys, const Codes& values, std::size_t t) {
  std::int8_t* key_lines = q.key + t / 16 * 16 * q.width + t % 16 * 4;
  std::int8_t* value_lines = q.value + t * q.width;
  for (std::size_t k = 0; k < q.width; k += 16) {
    SpreadQuads(keys[0] + k, kMaxHeadWidth, key_lines + 16 * k);
    InterleaveRows(values[0] + k, kMaxHeadWidth, value_lines + 4 * k);
  }
}

inline Int8Head QuantizeHead(const AttentionHead& head, std::byte* scratch) {
  ScratchCursor cursor(scratch);
  Int8Head q;
  q.tokens = head.tokens;
  q.queries = head.queries;
  q.padded = RoundUp(head.tokens, 16);
  q.width = head.width;
  q.query = cursor.Take<std::uint8_t>(q.tokens * q.width);
  q.query_scale = cursor.Take<float>(q.padded);
  q.key = cursor.Take<std::int8_t>(q.padded * q.width);
  q.key_scale = cursor.Take<float>(q.padded);
  q.key_comp = cursor.Take<std::int32_t>(q.padded);
  q.value = cursor.Take<std::int8_t>(q.padded * q.width);
  q.value_scale = cursor.Take<float>(q.padded);
  q.score = cursor.Take<float>(kAttentionRows * q.padded);
  q.probability = cursor.Take<std::uint8_t>(kAttentionRows * q.padded);

  alignas(64) Codes keys, values;
  for (std::size_t begin = 0; begin < q.padded; begin += 16) {
    // Sixteen tokens together: their scales and factors are vectors.
    const std::size_t count = q.tokens - begin < 16 ? q.tokens - begin : 16;
    const float* rows = head.qkv + begin * head.qkv_stride;
    alignas(64) float factor[3][16];
    float* scale[3] = {q.query_scale + begin, q.key_scale + begin, q.value_scale + begin};
    for (std::size_t part = 0; part < 3; ++part) {
      const std::size_t present = part == 0 && q.queries < q.tokens ? q.queries : q.tokens;
      for (std::size_t i = 0; i < 16; ++i) {
        scale[part][i] =
            begin + i < present ? ReduceMax(LargestOfRow(rows + i * head.qkv_stride + part * q.width, q.width)) : 0.0f;
      }
      F magnitude = Load(scale[part]);
      Store(factor[part], CodeFactor(magnitude));
      Store(scale[part], Div(magnitude, Set(127.0f)));
    }
    for (std::size_t i = 0; i < 16; ++i) {
      if (i < count) {
        const float* row = rows + i * head.qkv_stride;
        F f = Set(factor[0][i]);
        for (std::size_t k = 0; k < (begin + i < q.queries ? q.width : 0); k += 16) {
          StoreBytesOffset(q.query + (begin + i) * q.width + k, ToInt(Mul(Load(row + k), f)));
        }
        row += q.width;
        f = Set(factor[1][i]);
        for (std::size_t k = 0; k < q.width; k += 16) StoreBytes(keys[i % 4] + k, ToInt(Mul(Load(row + k), f)));
        row += q.width;
        f = Set(factor[2][i]);
        for (std::size_t k = 0; k < q.width; k += 16) StoreBytes(values[i % 4] + k, ToInt(Mul(Load(row + k), f)));
      } else {
        for (std::size_t k = 0; k < q.width; k += 16) {
          StoreBytes(keys[i % 4] + k, Zero());
          StoreBytes(values[i % 4] + k, Zero());
        }
      }
      if (i % 4 == 3) StoreLines(q, keys, values, begin + i - 3);
    }
  }
  if constexpr (kSigned) {
    const std::uint8_t minus_ones[4] = {127, 127, 127, 127};
    const Quad minus_one = LoadQuad(minus_ones);
    for (std::size_t k = 0; k < q.width; k += 16) {
      I sum = Zero();
      for (std::size_t t = 0; t < q.padded; t += 4) sum = Dot4(sum, minus_one, LoadLine(q.value + t * q.width + 4 * k));
      StoreI(q.value_comp + k, TimesMinus128(sum));
    }
  } else {
    const std::uint8_t ones[4] = {1, 1, 1, 1};
    const Quad one = LoadQuad(ones);
    for (std::size_t t = 0; t < q.padded; t += 16) {
      I sum = Zero();
      for (std::size_t k = 0; k < q.width; k += 4) sum = Dot4(sum, one, LoadLine(q.key + t * q.width + 16 * k));
      StoreI(q.key_comp + t, TimesMinus128(sum));
    }
  }
  return q;
}

// Sets the scores behind the last token so low that their exponentials vanish, and returns the largest of a row.
THIMBLE_INLINE F LargestScore(float* score, std::size_t tokens, std::size_t padded) {
  for (std::size_t t = tokens; t < padded; ++t) score[t] = -1e30f;
  F largest = Load(score);
  for (std::size_t t = 16; t < padded; t += 16) largest = Max(largest, Load(score + t));
  return Set(ReduceMax(largest));
}

template <std::size_t kHeight, std::size_t kWidth>
THIMBLE_INLINE void ScoreTile(const Int8Head& q, std::size_t row, std::size_t t) {
  I acc[kHeight][kWidth];
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    I comp = FirstSum(q.key_comp + t + 16 * j);
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) acc[i][j] = comp;
  }
  AddProducts<kHeight, kWidth, false>({q.key + t * q.width, 64, 16 * q.width}, q.query + row * q.width, q.width,
                                      q.width, acc);
  THIMBLE_UNROLL
  for (std::size_t j = 0; j < kWidth; ++j) {
    F scale = Load(q.key_scale + t + 16 * j);
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) {
      F score = Mul(Mul(ToFloat(acc[i][j]), scale), Set(q.query_scale[row + i]));
      Store(q.score + i * q.padded + t + 16 * j, score);
    }
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
                                      RoundUp(q.tokens, kProductInputs), acc);
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
  std::size_t t = 0;
  for (; t + 16 * kAttentionStrips <= q.padded; t += 16 * kAttentionStrips)
    ScoreTile<kHeight, kAttentionStrips>(q, row, t);
  if constexpr (kAttentionStrips > 1) {
    for (; t < q.padded; t += 16) ScoreTile<kHeight, 1>(q, row, t);
  }
  float factor[kHeight];
  for (std::size_t i = 0; i < kHeight; ++i) {
    float* score = q.score + i * q.padded;
    std::uint8_t* probability = q.probability + i * q.padded;
    F largest = LargestScore(score, q.tokens, q.padded);
    F sum = Set(0.0f), most = Set(0.0f);
    for (t = 0; t < q.padded; t += 16) {
      F e = Exp2Fast(Sub(Load(score + t), largest));
      sum = Add(sum, e);
      e = Mul(e, Load(q.value_scale + t));
      most = Max(most, e);
      Store(score + t, e);
    }
    // Probability times value scale as a byte, 255 at the largest of this query. Not of all: what most queries look at
    // often has the smallest values, and would leave the others a few of the 255 steps.
    const float top = ReduceMax(most);
    const F to_byte = Set(255.0f / (top < 1e-30f ? 1e-30f : top));
    for (t = 0; t < q.padded; t += 16) StoreBytes(probability + t, ToInt(Mul(Load(score + t), to_byte)));
    factor[i] = top / 255.0f / ReduceAdd(sum);
  }
  for (std::size_t k = 0; k < q.width; k += 16 * kAttentionStrips) {
    ValueTile<kHeight, kAttentionStrips>(q, factor, k, out, out_stride);
  }
}

inline void AttentionInt8(const AttentionHead& head, std::byte* scratch) {
  Int8Head q = QuantizeHead(head, scratch);
  for (std::size_t row = 0; row < head.queries; row += kAttentionRows) {
    std::size_t height = head.queries - row < kAttentionRows ? head.queries - row : kAttentionRows;
    WithHeight<kAttentionRows>(height, [&]<std::size_t kHeight>() {
      AttendInt8<kHeight>(q, row, head.out + row * head.out_stride, head.out_stride);
    });
  }
}

// Queries [row, row + kHeight) in float; `key` is [padded/16][width][16], `score` [kHeight][padded].
template <std::size_t kHeight>
void AttendFloat(const AttentionHead& head, const float* key, float* score, std::size_t row) {
  const std::size_t padded = RoundUp(head.tokens, 16);
  const std::size_t stride = head.qkv_stride;
  const float* query = head.qkv + row * stride;
  for (std::size_t t = 0; t < padded; t += 16) {
    F acc[kHeight];
    THIMBLE_UNROLL
    for (std::size_t i = 0; i < kHeight; ++i) acc[i] = Set(0.0f);
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
    F largest = LargestScore(s, head.tokens, padded);
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
  const std::size_t padded = RoundUp(head.tokens, 16);
  ScratchCursor cursor(scratch);
  float* key = cursor.Take<float>(padded * head.width);
  float* score = cursor.Take<float>(kAttentionRows * padded);
  for (std::size_t t = 0; t < padded; ++t) {
    float* column = key + t / 16 * 16 * head.width + t % 16;
    const float* row = head.qkv + t * head.qkv_stride + head.width;
    for (std::size_t k = 0; k < head.width; ++k) column[16 * k] = t < head.tokens ? row[k] : 0.0f;
  }
  for (std::size_t row = 0; row < head.queries; row += kAttentionRows) {
    std::size_t height = head.queries - row < kAttentionRows ? head.queries - row : kAttentionRows;
    WithHeight<kAttentionRows>(height, [&]<std::size_t kHeight>() { AttendFloat<kHeight>(head, key, score, row); });
  }
}
