// Every kernel of every instruction set against the scalar reference, bit for bit, and the reference against plain
// double arithmetic within bounds derived from the formula.

#include "kernels/kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <initializer_list>
#include <limits>
#include <map>
#include <numbers>
#include <numeric>
#include <random>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "base/checked.h"
#include "kernels/emulated_test.h"
#include "kernels/half.h"

namespace thimble::kernels {
namespace {

constexpr float kEpsilon = 0x1p-24f;  // Half a unit in the last place, relative.

// Memory on a cache line, with a guard behind it that must stay as it is.
template <typename T>
class Buffer {
 public:
  explicit Buffer(std::size_t count, T fill = T{}) : count_(count), storage_(count * sizeof(T) + 128, std::byte{0x5a}) {
    std::size_t address = reinterpret_cast<std::uintptr_t>(storage_.data());
    begin_ = reinterpret_cast<T*>(storage_.data() + (base::RoundUp(address, 64) - address));
    for (std::size_t i = 0; i < count; ++i) begin_[i] = fill;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    const std::byte* end = reinterpret_cast<const std::byte*>(begin_ + count_);
    for (const std::byte* p = end; p != storage_.data() + storage_.size(); ++p) {
      if (*p != std::byte{0x5a}) {
        ADD_FAILURE() << "written " << p - end << " bytes behind the end";
        break;
      }
    }
  }
  T* data() { return begin_; }
  const T* data() const { return begin_; }
  T& operator[](std::size_t i) { return begin_[i]; }
  std::size_t size() const { return count_; }

 private:
  std::size_t count_;
  std::vector<std::byte> storage_;
  T* begin_;
};

template <typename T>
void ExpectSameBits(const Buffer<T>& expected, const Buffer<T>& found, const std::string& what) {
  ASSERT_EQ(expected.size(), found.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_EQ(std::memcmp(expected.data() + i, found.data() + i, sizeof(T)), 0)
        << what << ": element " << i << ": expected " << +expected.data()[i] << ", found " << +found.data()[i];
  }
}

void FillNormal(std::mt19937& random, float deviation, float* out, std::size_t count) {
  std::normal_distribution<float> normal(0.0f, deviation);
  for (std::size_t i = 0; i < count; ++i) out[i] = normal(random);
}

// The first inputs of a product, a group of each format, have the largest codes: kernels that saturate fail there.
constexpr std::size_t kExtremes = 64;

// A matrix with random contents, and its weights as plain numbers.
struct TestMatrix {
  TestMatrix(WeightFormat f, std::size_t outputs, std::size_t inputs, std::mt19937& random)
      : floats(f == WeightFormat::kF32 ? outputs * inputs : 0),
        halves(f == WeightFormat::kF16 ? outputs * inputs : 0),
        // Prefetching runs ahead of the last strip but reads nothing there.
        codes(f == WeightFormat::kQ8 ? outputs * inputs : 0),
        packed(IsTwoLevel(f) ? MatrixLevels(f).CodeBytes(outputs * inputs) : 0),
        groups(IsTwoLevel(f) ? outputs / 16 * MatrixLevels(f).StripGroupBytes(inputs) : 0),
        scale(outputs),
        comp(outputs),
        bias(outputs),
        values(outputs * inputs) {
    FillNormal(random, 0.5f, bias.data(), outputs);
    std::uniform_real_distribution<float> positive(0.001f, 0.02f);
    for (std::size_t n = 0; n < outputs; ++n) scale[n] = positive(random);
    std::uniform_int_distribution<int> byte(-127, 127);
    for (std::size_t n = 0; n < outputs; ++n) {
      std::int32_t sum = 0;
      int multiplier = 1, offset = 0;
      for (std::size_t k = 0; k < inputs; ++k) {
        std::size_t float_index = n / 16 * 16 * inputs + 16 * k + n % 16;
        int code = 0;
        switch (f) {
          case WeightFormat::kF32:
            FillNormal(random, 0.05f, &floats[float_index], 1);
            values[n * inputs + k] = floats[float_index];
            break;
          case WeightFormat::kF16: {
            float value;
            FillNormal(random, 0.05f, &value, 1);
            halves[float_index] = FloatToHalf(value);
            values[n * inputs + k] = HalfToFloat(halves[float_index]);
            break;
          }
          case WeightFormat::kQ8:
            code = k < kExtremes ? (n % 2 ? -127 : 127) : byte(random);
            codes[n / 16 * 16 * inputs + k / 4 * 64 + n % 16 * 4 + k % 4] = static_cast<std::int8_t>(code);
            break;
          case WeightFormat::kQ6:
          case WeightFormat::kQ4: {
            const TwoLevel& levels = MatrixLevels(f);
            if (k % levels.group == 0) {
              multiplier = std::uniform_int_distribution<int>(1, levels.largest_multiplier())(random);
              const int least = std::max(0, levels.largest_code() * multiplier - 127);
              offset = std::uniform_int_distribution<int>(least, 128)(random);
              std::uint8_t* data =
                  &groups[n / 16 * levels.StripGroupBytes(inputs) + k / levels.group * levels.GroupBytes()];
              data[n % 16] = static_cast<std::uint8_t>(offset);
              const std::size_t bit = n % 16 * static_cast<std::size_t>(levels.multiplier_bits);
              data[16 + bit / 8] = static_cast<std::uint8_t>(data[16 + bit / 8] | (multiplier - 1) << bit % 8);
            }
            const int q = k < kExtremes ? (n % 2 ? 0 : levels.largest_code())
                                        : std::uniform_int_distribution<int>(0, levels.largest_code())(random);
            PackCode(f, inputs, n, k, static_cast<unsigned>(q));
            code = multiplier * q - offset;
            break;
          }
        }
        if (IsInteger(f)) {
          EXPECT_GE(code, -128);
          EXPECT_LE(code, 127);
          values[n * inputs + k] = static_cast<double>(code);
          sum += code;
        }
      }
      comp[n] = -128 * sum;
    }
    view = {.format = f, .outputs = outputs, .inputs = inputs, .bias = bias.data()};
    switch (f) {
      case WeightFormat::kF32:
        view.weights = floats.data();
        break;
      case WeightFormat::kF16:
        view.weights = halves.data();
        break;
      case WeightFormat::kQ8:
        view.weights = codes.data();
        break;
      case WeightFormat::kQ6:
      case WeightFormat::kQ4:
        view.weights = packed.data();
        break;
    }
    if (IsInteger(f)) {
      view.groups = groups.data();
      view.scale = scale.data();
      view.comp = comp.data();
    }
  }

  // As docs/format.md draws it.
  void PackCode(WeightFormat f, std::size_t inputs, std::size_t n, std::size_t k, unsigned code) {
    auto add = [&](std::size_t line, unsigned bits) {
      std::uint8_t& byte = packed[line * 64 + n % 16 * 4 + k % 4];
      byte = static_cast<std::uint8_t>(byte | bits);
    };
    if (f == WeightFormat::kQ4) {
      add(n / 16 * (inputs / 8) + k / 8, k % 8 < 4 ? code : code << 4);
      return;
    }
    const std::size_t line = (n / 16 * (inputs / 16) + k / 16) * 3, within = k % 16 / 4;
    if (within < 3) {
      add(line + within, code);
    } else {
      for (std::size_t b = 0; b < 3; ++b) add(line + b, (code >> 2 * b & 3) << 6);
    }
  }

  Buffer<float> floats;
  Buffer<std::uint16_t> halves;
  Buffer<std::int8_t> codes;
  Buffer<std::uint8_t> packed, groups;
  Buffer<float> scale;
  Buffer<std::int32_t> comp;
  Buffer<float> bias;
  std::vector<double> values;  // [outputs][inputs]; for int8 without the scale.
  Matrix view;
};

struct LinearCase {
  WeightFormat format;
  std::size_t outputs, inputs, rows, begin, end;
  Epilogue epilogue;
};

std::vector<LinearCase> LinearCases() {
  std::vector<LinearCase> cases;
  for (WeightFormat format :
       {WeightFormat::kF32, WeightFormat::kF16, WeightFormat::kQ8, WeightFormat::kQ6, WeightFormat::kQ4}) {
    for (Epilogue epilogue : {Epilogue::kStore, Epilogue::kAdd, Epilogue::kGelu}) {
      for (std::size_t rows : {1, 2, 3, 5, 8, 9, 17, 32, 39}) cases.push_back({format, 96, 64, rows, 0, 96, epilogue});
      cases.push_back({format, 128, 192, 13, 0, 128, epilogue});  // A tail of strips behind the full panels.
      cases.push_back({format, 192, 128, 7, 96, 192, epilogue});  // One head of many.
    }
    cases.push_back({format, 384, 1536, 11, 0, 384, Epilogue::kAdd});
    // More rows than any set holds at a time.
    cases.push_back({format, 32, 1536, 37, 0, 32, Epilogue::kAdd});
    cases.push_back({format, 32, 64, 410, 0, 32, Epilogue::kGelu});
  }
  return cases;
}

// Inputs of one linear case, and the output of a table.
struct LinearRun {
  LinearRun(const LinearCase& c, TestMatrix& matrix, std::mt19937& random)
      : test(c),
        m(matrix),
        x(c.rows * c.inputs),
        values(c.rows * (c.inputs + 64)),
        scale(c.rows),
        initial(c.rows * Stride()) {
    FillNormal(random, 1.0f, x.data(), x.size());
    FillNormal(random, 1.0f, initial.data(), initial.size());
    std::uniform_int_distribution<int> byte(1, 255);
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<std::uint8_t>(i % (c.inputs + 64) < kExtremes ? 255 : byte(random));
    }
    for (std::size_t i = 0; i < c.rows; ++i) scale[i] = 0.01f + 0.001f * static_cast<float>(i);
  }
  std::size_t Stride() const { return test.end - test.begin + 5; }
  void Run(const Kernels& k, Buffer<float>& out) {
    std::memcpy(out.data(), initial.data(), out.size() * sizeof(float));
    LinearOutput output = {test.begin, test.end, test.rows, test.epilogue, out.data(), Stride()};
    if (m.view.scale != nullptr) {
      Buffer<std::int8_t> panel(k.panel_bytes(test.inputs));
      k.linear_int8(m.view, {values.data(), test.inputs + 64, scale.data()}, output, panel.data());
    } else {
      k.linear_float(m.view, x.data(), test.inputs, output);
    }
  }

  LinearCase test;
  TestMatrix& m;
  Buffer<float> x;
  Buffer<std::uint8_t> values;  // Rows 64 bytes further apart than they are long.
  Buffer<float> scale;
  Buffer<float> initial;
};

// y in double, and the bound of the float computation's error: every product and sum rounds once.
void ReferenceLinear(LinearRun& run, std::size_t row, std::size_t n, double* y, double* bound) {
  const LinearCase& c = run.test;
  const double* w = &run.m.values[n * c.inputs];
  double sum = 0, magnitude = std::fabs(run.m.bias[n]);
  for (std::size_t k = 0; k < c.inputs; ++k) {
    double x = run.m.view.scale ? run.values[row * (c.inputs + 64) + k] - 128.0 : run.x[row * c.inputs + k];
    sum += w[k] * x;
    magnitude += std::fabs(w[k] * x);
  }
  if (run.m.view.scale != nullptr) {  // Exact until the three roundings of the scales and the bias.
    double scaled = sum * run.m.scale[n] * run.scale[row];
    *y = scaled + run.m.bias[n];
    *bound = 4 * kEpsilon * (std::fabs(scaled) + std::fabs(run.m.bias[n]));
  } else {
    *y = sum + run.m.bias[n];
    *bound = static_cast<double>(c.inputs + 1) * kEpsilon * magnitude;
  }
}

TEST(ScalarKernels, LinearIsWithinItsBoundOfDoubleArithmetic) {
  const Kernels& k = **FindKernels("scalar");
  std::mt19937 random(1);
  for (const LinearCase& c : LinearCases()) {
    TestMatrix matrix(c.format, c.outputs, c.inputs, random);
    LinearRun run(c, matrix, random);
    Buffer<float> out(c.rows * run.Stride());
    run.Run(k, out);
    for (std::size_t row = 0; row < c.rows; ++row) {
      for (std::size_t n = c.begin; n < c.end; ++n) {
        double y, bound;
        ReferenceLinear(run, row, n, &y, &bound);
        std::size_t index = row * run.Stride() + n - c.begin;
        if (c.epilogue == Epilogue::kAdd) {
          y += run.initial[index];
          bound += kEpsilon * std::fabs(y);
        } else if (c.epilogue == Epilogue::kGelu) {
          // The slope of the Gelu is at most 1.13.
          bound = 1.13 * bound + (matrix.view.scale ? 1.2e-4 : 1e-6);
          y *= 0.5 * std::erfc(-y / std::sqrt(2.0));
          bound += kEpsilon * std::fabs(y);
        }
        ASSERT_NEAR(out[index], y, bound)
            << WeightFormatName(c.format) << " rows " << c.rows << " row " << row << " n " << n;
      }
      for (std::size_t pad = 0; pad < 5; ++pad) {
        std::size_t index = row * run.Stride() + c.end - c.begin + pad;
        ASSERT_EQ(out[index], run.initial[index]) << "columns between the rows are not ours";
      }
    }
  }
}

TEST(ScalarKernels, GeluKeepsItsPromises) {
  const Kernels& k = **FindKernels("scalar");
  // A matrix of zeros whose bias is the argument.
  Buffer<float> weights(16 * 64), bias(16), x(64), out(16), scale(16, 1.0f), row_scale(1, 1.0f);
  Buffer<std::int8_t> codes(16 * 64);
  Buffer<std::int32_t> comp(16);
  Buffer<std::uint8_t> values(64, 128);
  Buffer<std::int8_t> panel(k.panel_bytes(64));
  double worst_exact = 0, worst_fast = 0;
  for (int i = -12000; i < 12000; i += 16) {
    for (int j = 0; j < 16; ++j) bias[j] = static_cast<float>(i + j) * 1e-3f;
    LinearOutput output = {0, 16, 1, Epilogue::kGelu, out.data(), 16};
    auto error = [&](int j) {
      double b = bias[j];
      return std::fabs(out[j] - b * 0.5 * std::erfc(-b / std::sqrt(2.0)));
    };
    k.linear_float({.outputs = 16, .inputs = 64, .weights = weights.data(), .bias = bias.data()}, x.data(), 64, output);
    for (int j = 0; j < 16; ++j) worst_exact = std::max(worst_exact, error(j));
    Matrix q8 = {WeightFormat::kQ8, 16, 64, codes.data(), nullptr, scale.data(), comp.data(), bias.data()};
    k.linear_int8(q8, {values.data(), 64, row_scale.data()}, output, panel.data());
    for (int j = 0; j < 16; ++j) worst_fast = std::max(worst_fast, error(j));
  }
  EXPECT_LT(worst_exact, 1e-6);
  EXPECT_LT(worst_fast, 1.2e-4);
}

// The rotation written out as the matrix that format.md defines.
std::vector<double> RotationMatrix(std::size_t width, const Rotation& r) {
  std::vector<double> m(width * width);
  const std::size_t third = r.three ? width / 3 : width;
  const double c3[3][3] = {{1 / std::sqrt(3.0), 1 / std::sqrt(2.0), 1 / std::sqrt(6.0)},
                           {1 / std::sqrt(3.0), 0, -2 / std::sqrt(6.0)},
                           {1 / std::sqrt(3.0), -1 / std::sqrt(2.0), 1 / std::sqrt(6.0)}};
  auto sign = [](std::size_t a, std::size_t b) { return __builtin_parityll(a & b) ? -1.0 : 1.0; };
  for (std::size_t i = 0; i < width; ++i) {
    for (std::size_t o = 0; o < width; ++o) {
      std::size_t vi = i % third / 16, vo = o % third / 16;
      if (vi / r.vectors != vo / r.vectors || i % 16 / 4 != o % 16 / 4) continue;
      double v = sign(vi % r.vectors, vo % r.vectors) * sign(i % 4, o % 4);
      if (r.three) v *= c3[i / third][o / third];
      m[i * width + o] = v;
    }
  }
  return m;
}

TEST(ScalarKernels, QuantizeIsTheRotationRoundedToTheNearestCode) {
  const Kernels& k = **FindKernels("scalar");
  std::mt19937 random(2);
  for (std::size_t width : {64, 192, 256, 384, 1536}) {
    Rotation rotation = RotationFor(width);
    std::vector<double> m = RotationMatrix(width, rotation);
    const double norm = static_cast<double>(4 * rotation.vectors);
    for (std::size_t a = 0; a < width; a += 37) {  // R R^T = norm I, on a sample of row pairs.
      for (std::size_t b = a; b < width; b += 29) {
        double dot = 0;
        for (std::size_t o = 0; o < width; ++o) dot += m[a * width + o] * m[b * width + o];
        ASSERT_NEAR(dot, a == b ? norm : 0, 1e-9);
      }
    }
    for (const Rotation* used : {static_cast<const Rotation*>(nullptr), static_cast<const Rotation*>(&rotation)}) {
      Buffer<float> x(width), workspace(width), scale(1);
      Buffer<std::uint8_t> values(width);
      FillNormal(random, 1.0f, x.data(), width);
      x[width / 2] = 20.0f;  // An outlier.
      k.quantize(x.data(), 1, width, used, workspace.data(), {values.data(), width, scale.data()});
      std::vector<double> expected(width);
      double largest = 0, magnitude = 0;
      for (std::size_t o = 0; o < width; ++o) {
        if (used == nullptr) {
          expected[o] = x[o];
        } else {
          for (std::size_t i = 0; i < width; ++i) expected[o] += x[i] * m[i * width + o];
        }
        largest = std::max(largest, std::fabs(expected[o]));
        magnitude = std::max(magnitude, std::fabs(expected[o]));
      }
      // At most 12 additions deep, each rounding once, on values no larger than the sum of magnitudes in a block.
      double bound = used == nullptr ? 0 : 12 * kEpsilon * 20.0 * 32;
      EXPECT_NEAR(scale[0] * 127.0, largest, bound + largest * 1e-6);
      for (std::size_t o = 0; o < width; ++o) {
        ASSERT_NEAR((values[o] - 128.0) * scale[0], expected[o], scale[0] * 0.5001 + bound) << width << " " << o;
      }
    }
  }
}

TEST(ScalarKernels, QuantizeOfZerosIsZero) {
  for (const Kernels* k : AllKernels()) {
    if (!k->supported()) continue;
    Buffer<float> x(64), workspace(64), scale(1, 5.0f);
    Buffer<std::uint8_t> values(64);
    Rotation rotation = RotationFor(64);
    k->quantize(x.data(), 1, 64, &rotation, workspace.data(), {values.data(), 64, scale.data()});
    EXPECT_EQ(scale[0], 0.0f);
    for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(values[i], 128);
  }
}

struct AttentionRun {
  AttentionRun(std::size_t tokens, std::size_t width, bool biased, std::mt19937& random)
      : qkv(tokens * (3 * width + 16)),
        bias(2 * tokens - 1 + kBiasTail, std::numeric_limits<float>::quiet_NaN()),
        head{qkv.data(), 3 * width + 16, tokens, tokens, width, nullptr, width + 16} {
    FillNormal(random, 1.0f, qkv.data(), qkv.size());
    FillNormal(random, 4.0f, bias.data(), 2 * tokens - 1);  // Behind them nothing counts.
    if (biased) head.bias = bias.data() + (tokens - 1);
  }
  void Run(const Kernels& k, bool int8, Buffer<float>& out) {
    Buffer<std::byte> scratch(k.attention_bytes(head.tokens, head.width), std::byte{0xcd});
    head.out = out.data();
    (int8 ? k.attention_int8 : k.attention_float)(head, scratch.data());
  }
  std::size_t OutSize() const { return head.tokens * head.out_stride; }

  Buffer<float> qkv, bias;
  AttentionHead head;
};

std::vector<std::tuple<std::size_t, std::size_t, bool>> AttentionCases(std::initializer_list<std::size_t> widths,
                                                                       std::initializer_list<std::size_t> lengths) {
  std::vector<std::tuple<std::size_t, std::size_t, bool>> cases;
  for (std::size_t width : widths) {
    for (std::size_t tokens : lengths) {
      for (bool biased : {false, true}) cases.emplace_back(width, tokens, biased);
    }
  }
  return cases;
}

TEST(ScalarKernels, AttentionIsTheSoftmaxAverage) {
  const Kernels& k = **FindKernels("scalar");
  std::mt19937 random(3);
  for (const auto& [width, tokens, biased] : AttentionCases({32, 64}, {1, 2, 15, 16, 17, 40, 150})) {
    AttentionRun run(tokens, width, biased, random);
    Buffer<float> exact(run.OutSize()), quantised(run.OutSize());
    run.Run(k, false, exact);
    run.Run(k, true, quantised);
    double squares = 0, reference_squares = 0;
    for (std::size_t i = 0; i < tokens; ++i) {
      auto row = [&](std::size_t t) { return run.qkv.data() + t * run.head.qkv_stride; };
      std::vector<double> e(tokens);
      double sum = 0, largest = -1e300;
      for (std::size_t t = 0; t < tokens; ++t) {
        for (std::size_t d = 0; d < width; ++d) e[t] += double{row(i)[d]} * row(t)[width + d];
        if (biased) e[t] += run.bias[tokens - 1 + t - i];
        largest = std::max(largest, e[t]);
      }
      for (double& s : e) sum += s = std::exp2(s - largest);
      for (std::size_t d = 0; d < width; ++d) {
        double o = 0;
        for (std::size_t t = 0; t < tokens; ++t) o += e[t] / sum * row(t)[2 * width + d];
        // Scores of this size carry 1e-5 of rounding into the exponent.
        ASSERT_NEAR(exact[i * run.head.out_stride + d], o, 3e-5);
        double difference = quantised[i * run.head.out_stride + d] - o;
        squares += difference * difference;
        reference_squares += o * o;
      }
    }
    // Random scores of deviation sqrt(width) are far harsher than a model's; int8 keeps them within a few per cent.
    EXPECT_LT(std::sqrt(squares / reference_squares), 0.05)
        << tokens << " tokens of width " << width << (biased ? ", biased" : "");
  }
}

// The queries behind the wanted ones are not even numbers.
TEST(AllKernels, TheFirstQueriesNeedNoOthers) {
  std::mt19937 random(31);
  for (const Kernels* k : AllKernels()) {
    if (!k->supported()) continue;
    for (const auto& [width, tokens, biased] : AttentionCases({32}, {1, 2, 17, 40})) {
      for (std::size_t queries : {std::size_t{1}, std::size_t{9}, tokens}) {
        if (queries > tokens) continue;
        AttentionRun run(tokens, width, biased, random);
        Buffer<float> all(run.OutSize()), some(run.OutSize());
        for (bool int8 : {true, false}) {
          run.head.queries = tokens;
          run.Run(*k, int8, all);
          run.head.queries = queries;
          std::vector<float> kept(run.qkv.data(), run.qkv.data() + run.qkv.size());
          for (std::size_t t = queries; t < tokens; ++t) {
            std::fill_n(run.qkv.data() + t * run.head.qkv_stride, width, std::numeric_limits<float>::quiet_NaN());
          }
          run.Run(*k, int8, some);
          std::copy(kept.begin(), kept.end(), run.qkv.data());
          for (std::size_t i = 0; i < queries * run.head.out_stride; ++i) {
            if (i % run.head.out_stride >= width) continue;
            ASSERT_EQ(some[i], all[i]) << k->name << " " << tokens << " " << queries;
          }
        }
      }
    }
  }
}

TEST(ScalarKernels, LayerNormAndPoolingFollowTheirFormulas) {
  const Kernels& k = **FindKernels("scalar");
  std::mt19937 random(4);
  const std::size_t width = 192, rows = 3;
  Buffer<float> x(rows * width), gamma(width), beta(width), mean(width);
  FillNormal(random, 3.0f, x.data(), x.size());
  FillNormal(random, 1.0f, gamma.data(), width);
  FillNormal(random, 1.0f, beta.data(), width);
  std::vector<double> before(x.data(), x.data() + x.size());
  k.layer_norm(x.data(), gamma.data(), beta.data(), 1e-12f, rows, width);
  for (std::size_t m = 0; m < rows; ++m) {
    double sum = 0, squares = 0;
    for (std::size_t i = 0; i < width; ++i) sum += before[m * width + i];
    for (std::size_t i = 0; i < width; ++i) squares += std::pow(before[m * width + i] - sum / width, 2);
    for (std::size_t i = 0; i < width; ++i) {
      double y = (before[m * width + i] - sum / width) / std::sqrt(squares / width + 1e-12) * gamma[i] + beta[i];
      ASSERT_NEAR(x[m * width + i], y, 2e-6 * (std::fabs(y) + 4));
    }
  }
  Buffer<float> largest(width), weighted(width);
  k.sum(x.data(), rows, width, 1.0f / 3, mean.data());
  k.largest(x.data(), rows, width, largest.data());
  k.weighted_mean(x.data(), rows, width, 4, weighted.data());
  for (std::size_t i = 0; i < width; ++i) {
    const double a = x[i], b = x[width + i], c = x[2 * width + i];
    ASSERT_NEAR(mean[i], (a + b + c) / 3, 1e-6);
    ASSERT_EQ(largest[i], std::max({a, b, c}));
    ASSERT_NEAR(weighted[i], (4 * a + 5 * b + 6 * c) / 15, 1e-6);
  }
  k.normalize(mean.data(), width);
  double length = 0;
  for (std::size_t i = 0; i < width; ++i) length += double{mean[i]} * mean[i];
  EXPECT_NEAR(length, 1.0, 1e-6);
}

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

// By the formulas that transformers and torch give.
double Exact(Activation activation, double x) {
  switch (activation) {
    case Activation::kGelu:
      return x * 0.5 * std::erfc(-x / std::sqrt(2.0));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::numbers::pi) * (x + 0.044715 * x * x * x)));
    case Activation::kQuickGelu:
      return x * Sigmoid(1.702 * x);
    case Activation::kSilu:
      return x * Sigmoid(x);
    case Activation::kRelu:
      return std::max(x, 0.0);
    case Activation::kTanh:
      return std::tanh(x);
  }
  return 0;
}

constexpr Activation kActivations[] = {Activation::kGelu, Activation::kGeluTanh, Activation::kQuickGelu,
                                       Activation::kSilu, Activation::kRelu,     Activation::kTanh};

TEST(ScalarKernels, ActivationsAreWithinAMillionthOfTheirFormulas) {
  const Kernels& k = **FindKernels("scalar");
  Buffer<float> x(40000), y(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = (static_cast<float>(i) - 20000.0f) / 1000.0f;
  x[0] = -1e30f;
  x[1] = 1e30f;
  x[2] = -1e4f;
  for (Activation activation : kActivations) {
    std::copy(x.data(), x.data() + x.size(), y.data());
    k.activate(activation, y.data(), y.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double bound = 1e-6 * std::max(1.0, std::fabs(double{x[i]}));
      ASSERT_NEAR(y[i], Exact(activation, x[i]), i < 3 ? 1e-6 * std::fabs(x[i]) : bound)
          << static_cast<int>(activation) << " of " << x[i];
    }
  }
}

// The processor's features as the system's kernel lists them, independently of our own detection.
std::string CpuFlags() {
#if defined(__aarch64__)
  constexpr char kLabel[] = "Features";
#else
  constexpr char kLabel[] = "flags";
#endif
  std::ifstream file("/proc/cpuinfo");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind(kLabel, 0) == 0) return line + " ";
  }
  return "";
}

// Rows filled bit by bit as docs/format.md draws them, and what they mean.
TEST(ScalarKernels, EmbedUnpacksRowsAsTheFormatSays) {
  constexpr std::size_t kRows = 7;
  std::mt19937 random(7);
  for (WeightFormat format : {WeightFormat::kQ6, WeightFormat::kQ4}) {
    for (std::size_t width : {64, 384}) {
      const bool six = format == WeightFormat::kQ6;
      const std::size_t code_bytes = six ? width * 3 / 4 : width / 2;
      const std::size_t row_bytes = code_bytes + (six ? (width / 32 + 3) / 4 : width / 32);
      ASSERT_EQ(RowBytes(format, width), row_bytes);
      Buffer<std::uint8_t> bytes(kRows * row_bytes);
      Buffer<std::uint16_t> scales(kRows);
      std::vector<float> expected;
      for (std::size_t i = 0; i < kRows; ++i) {
        scales[i] = FloatToHalf(0.001f * static_cast<float>(i + 1));
        std::uint8_t* row = bytes.data() + i * row_bytes;
        auto add = [&](std::size_t at, unsigned bits) { row[at] = static_cast<std::uint8_t>(row[at] | bits); };
        int multiplier = 0;
        for (std::size_t k = 0; k < width; ++k) {
          if (k % (six ? 32 : 16) == 0) {
            multiplier = static_cast<int>(random() % (six ? 4 : 16)) + 1;
            const unsigned stored = static_cast<unsigned>(multiplier - 1);
            const std::size_t group = k / (six ? 32 : 16);
            add(code_bytes + group / (six ? 4 : 2), stored << (six ? group % 4 * 2 : group % 2 * 4));
          }
          const auto code = static_cast<unsigned>(random() % (six ? 64 : 16));
          if (!six) {
            add(k / 32 * 16 + k % 16, k % 32 < 16 ? code : code << 4);
          } else if (k % 64 < 48) {
            add(k / 64 * 48 + k % 64, code);
          } else {
            for (std::size_t b = 0; b < 3; ++b) add(k / 64 * 48 + 16 * b + k % 16, (code >> 2 * b & 3) << 6);
          }
          const int value = multiplier * (static_cast<int>(code) - (six ? 32 : 8));
          expected.push_back(HalfToFloat(scales[i]) * static_cast<float>(value));
        }
      }
      Buffer<float> zeros(kRows * width), found(kRows * width);
      std::vector<std::int32_t> ids(kRows);
      std::iota(ids.begin(), ids.end(), 0);
      const Table words = {format, kRows, width, bytes.data(), scales.data()};
      const Table positions = {WeightFormat::kF32, kRows, width, zeros.data(), nullptr};
      (*FindKernels("scalar"))->embed(words, positions, zeros.data(), ids, found.data());
      for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(found[i], expected[i]) << i;
    }
  }
}

TEST(Dispatch, EveryTableThatThisProcessorCanRunIsSupported) {
  const std::map<std::string_view, std::vector<std::string>> needs = {
      {"scalar", {}},
      {"sse41", {"ssse3", "sse4_1"}},
      {"avx2", {"avx2", "fma", "f16c"}},
      {"avxvnni", {"avx2", "fma", "f16c", "avx_vnni"}},
      {"avx512", {"avx512bw", "avx512dq", "avx512vl"}},
      {"avx512vnni", {"avx512bw", "avx512dq", "avx512vl", "avx512_vnni"}},
      {"amx", {"avx512bw", "avx512dq", "avx512vl", "avx512_vnni", "amx_tile", "amx_int8"}},
      {"neon", {}},
      {"neondot", {"asimddp"}},
      {"neoni8mm", {"asimddp", "i8mm"}}};
  const std::string flags = CpuFlags();
  if (flags.empty()) GTEST_SKIP() << "this system does not list the processor's features";
  for (const Kernels* k : AllKernels()) {
    ASSERT_TRUE(needs.contains(k->name)) << k->name;
    bool expected = true;
    for (const std::string& flag : needs.at(k->name)) {
      expected &= flags.find(" " + flag + " ") != std::string::npos;
    }
    EXPECT_EQ(k->supported(), expected) << k->name;
  }
}

TEST(Dispatch, UnknownNameIsAnErrorThatListsTheKnownOnes) {
  Result<const Kernels*> found = FindKernels("sse9");
  ASSERT_FALSE(found.ok());
  EXPECT_EQ(found.status().code(), Code::kInvalidArgument);
  EXPECT_NE(found.status().message().find("scalar"), std::string::npos);
}

// Compares one instruction set with the reference; skipped, and listed as such, where the processor lacks it.
class EveryIsa : public testing::TestWithParam<const Kernels*> {
 protected:
  void SetUp() override {
    if (!GetParam()->supported()) GTEST_SKIP() << "this processor lacks " << GetParam()->name;
  }
  const Kernels& fast() const { return *GetParam(); }
  const Kernels& reference() const { return **FindKernels("scalar"); }
  std::mt19937 random_{5};
};

TEST_P(EveryIsa, LinearGivesTheBitsOfTheReference) {
  for (const LinearCase& c : LinearCases()) {
    TestMatrix matrix(c.format, c.outputs, c.inputs, random_);
    LinearRun run(c, matrix, random_);
    Buffer<float> expected(c.rows * run.Stride()), found(c.rows * run.Stride());
    run.Run(reference(), expected);
    run.Run(fast(), found);
    std::ostringstream what;
    what << WeightFormatName(c.format) << " " << c.outputs << "x" << c.inputs << " rows " << c.rows;
    ExpectSameBits(expected, found, what.str());
  }
}

TEST_P(EveryIsa, AttentionGivesTheBitsOfTheReference) {
  for (const auto& [width, tokens, biased] :
       AttentionCases({32, 64, 96, 128}, {1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64, 100, 150})) {
    for (bool int8 : {false, true}) {
      AttentionRun run(tokens, width, biased, random_);
      Buffer<float> expected(run.OutSize()), found(run.OutSize());
      run.Run(reference(), int8, expected);
      run.Run(fast(), int8, found);
      ExpectSameBits(expected, found, std::to_string(tokens) + (biased ? " tokens, biased" : " tokens"));
    }
  }
}

TEST_P(EveryIsa, QuantizeGivesTheBitsOfTheReference) {
  for (std::size_t width : {64, 128, 192, 256, 320, 384, 768, 1536, 3072}) {
    for (Rotation rotation : {RotationFor(width), Rotation{false, 1}, Rotation{width % 192 == 0, 2}}) {
      for (bool rotate : {false, true}) {
        Buffer<float> x(3 * width), workspace(width), expected_scale(3), found_scale(3);
        Buffer<std::uint8_t> expected(3 * width), found(3 * width);
        FillNormal(random_, 2.0f, x.data(), x.size());
        const Rotation* used = rotate ? &rotation : nullptr;
        reference().quantize(x.data(), 3, width, used, workspace.data(),
                             {expected.data(), width, expected_scale.data()});
        fast().quantize(x.data(), 3, width, used, workspace.data(), {found.data(), width, found_scale.data()});
        ExpectSameBits(expected, found, "codes");
        ExpectSameBits(expected_scale, found_scale, "scale");
      }
    }
  }
}

TEST_P(EveryIsa, RowFunctionsGiveTheBitsOfTheReference) {
  const std::size_t width = 192, rows = 5, vocabulary = 50;
  Buffer<float> floats(vocabulary * width), gamma(width), beta(width);
  Buffer<std::uint16_t> halves(vocabulary * width), scales(vocabulary);
  Buffer<std::int8_t> codes(vocabulary * width);
  FillNormal(random_, 1.0f, floats.data(), floats.size());
  FillNormal(random_, 1.0f, gamma.data(), width);
  FillNormal(random_, 1.0f, beta.data(), width);
  for (std::size_t i = 0; i < halves.size(); ++i) {
    halves[i] = FloatToHalf(floats[i]);
    codes[i] = static_cast<std::int8_t>(static_cast<int>(i * 37 % 255) - 127);
  }
  for (std::size_t i = 0; i < vocabulary; ++i) scales[i] = FloatToHalf(0.01f + 0.0003f * static_cast<float>(i));
  // Any bytes are rows of codes.
  Buffer<std::uint8_t> packed(vocabulary * RowBytes(WeightFormat::kQ6, width));
  for (std::size_t i = 0; i < packed.size(); ++i) packed[i] = static_cast<std::uint8_t>(random_());
  const Table tables[] = {{WeightFormat::kF32, vocabulary, width, floats.data(), nullptr},
                          {WeightFormat::kF16, vocabulary, width, halves.data(), nullptr},
                          {WeightFormat::kQ8, vocabulary, width, codes.data(), scales.data()},
                          {WeightFormat::kQ6, vocabulary, width, packed.data(), scales.data()},
                          {WeightFormat::kQ4, vocabulary, width, packed.data(), scales.data()}};
  const std::vector<std::int32_t> ids = {49, 0, 7, 7, 21};
  for (const Table& table : tables) {
    Buffer<float> outputs[2] = {Buffer<float>(rows * width), Buffer<float>(rows * width)};
    Buffer<float> means[2] = {Buffer<float>(width), Buffer<float>(width)};
    Buffer<float> weighted[2] = {Buffer<float>(width), Buffer<float>(width)};
    Buffer<float> largest[2] = {Buffer<float>(width), Buffer<float>(width)};
    for (int side = 0; side < 2; ++side) {
      const Kernels& k = side == 0 ? reference() : fast();
      k.embed(table, table, gamma.data(), ids, outputs[side].data());
      k.layer_norm(outputs[side].data(), gamma.data(), beta.data(), 1e-12f, rows, width);
      k.sum(outputs[side].data(), rows, width, 0.2f, means[side].data());
      k.normalize(means[side].data(), width);
      k.weighted_mean(outputs[side].data(), rows, width, 3, weighted[side].data());
      k.largest(outputs[side].data(), rows, width, largest[side].data());
    }
    ExpectSameBits(outputs[0], outputs[1], "embed and layer_norm");
    ExpectSameBits(means[0], means[1], "sum and normalize");
    ExpectSameBits(weighted[0], weighted[1], "weighted_mean");
    ExpectSameBits(largest[0], largest[1], "largest");
  }
}

TEST_P(EveryIsa, ActivationsGiveTheBitsOfTheReference) {
  Buffer<float> x(1600);
  FillNormal(random_, 4.0f, x.data(), x.size());
  x[0] = -200.0f;
  x[1] = 200.0f;
  for (Activation activation : kActivations) {
    Buffer<float> outputs[2] = {Buffer<float>(x.size()), Buffer<float>(x.size())};
    for (int side = 0; side < 2; ++side) {
      std::copy(x.data(), x.data() + x.size(), outputs[side].data());
      (side == 0 ? reference() : fast()).activate(activation, outputs[side].data(), x.size());
    }
    ExpectSameBits(outputs[0], outputs[1], "activation " + std::to_string(static_cast<int>(activation)));
  }
}

std::string NameOf(const testing::TestParamInfo<const Kernels*>& test) { return std::string(test.param->name); }
INSTANTIATE_TEST_SUITE_P(Kernels, EveryIsa, testing::ValuesIn(AllKernels().begin(), AllKernels().end() - 1), NameOf);
INSTANTIATE_TEST_SUITE_P(Emulated, EveryIsa, testing::ValuesIn(EmulatedKernels()), NameOf);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EveryIsa);

TEST(Half, ConversionsAreExactAndRoundToEven) {
  for (std::uint32_t bits = 0; bits < 65536; ++bits) {
    auto half = static_cast<std::uint16_t>(bits);
    float value = HalfToFloat(half);
    if (std::isnan(value)) continue;
    ASSERT_EQ(FloatToHalf(value), half);
    float next = HalfToFloat(static_cast<std::uint16_t>(bits + 1));
    if (std::isfinite(value) && std::isfinite(next) && std::signbit(value) == std::signbit(next)) {
      ASSERT_EQ(FloatToHalf((value + next) / 2), half % 2 == 0 ? half : half + 1);
    }
  }
  EXPECT_EQ(FloatToHalf(65519.0f), 0x7bff);
  EXPECT_EQ(FloatToHalf(65520.0f), 0x7c00);
}

}  // namespace
}  // namespace thimble::kernels
