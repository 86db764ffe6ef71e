// Every instruction set that runs here against the scalar reference, bit for bit, on shapes from the input.

#include "kernels/kernels.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>
#include <new>
#include <random>

#include "kernels/half.h"
#include "tests/fuzz/fuzz.h"

namespace thimble::fuzz {
namespace {

using namespace kernels;

// Of its exact size, on a cache line, so that AddressSanitizer sees what is read behind it.
template <typename T>
class Lined {
 public:
  explicit Lined(std::size_t count)
      : count_(count), data_(static_cast<T*>(::operator new(count * sizeof(T) + 1, std::align_val_t(64)))) {
    std::memset(static_cast<void*>(data_), 0, count * sizeof(T));
  }
  ~Lined() { ::operator delete(data_, std::align_val_t(64)); }
  Lined(const Lined&) = delete;
  Lined& operator=(const Lined&) = delete;
  T* data() { return data_; }
  T& operator[](std::size_t i) { return data_[i]; }
  std::size_t bytes() const { return count_ * sizeof(T); }
  std::size_t size() const { return count_; }

 private:
  std::size_t count_;
  T* data_;
};

class Shape {
 public:
  explicit Shape(std::string_view input) : input_(input) {
    std::uint32_t seed = 1;
    for (char c : input) seed = seed * 31 + static_cast<unsigned char>(c);
    random_.seed(seed);
  }
  // low to high, from the next byte of the input.
  std::size_t Next(std::size_t low, std::size_t high) {
    const std::size_t byte = at_ < input_.size() ? static_cast<unsigned char>(input_[at_++]) : random_() % 256;
    return low + byte % (high - low + 1);
  }
  void Fill(Lined<float>& out) {
    // Sizes of many orders, zeros and signs.
    const float scale = std::ldexp(1.0f, static_cast<int>(Next(0, 20)) - 10);
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto bits = static_cast<std::uint32_t>(random_());
      out[i] = bits % 16 == 0 ? 0.0f : (static_cast<float>(bits % 65536) / 32768.0f - 1.0f) * scale;
    }
  }
  std::mt19937& random() { return random_; }

 private:
  std::string_view input_;
  std::size_t at_ = 0;
  std::mt19937 random_;
};

// Calls run(table, out) for each table, with `out` as it was before, and compares bits.
template <typename T, typename Run>
void Compare(const char* what, std::size_t count, const T* before, Run&& run) {
  Lined<T> expected(count);
  const std::span<const Kernels* const> all = AllKernels();
  for (std::size_t i = all.size(); i-- > 0;) {  // The reference is the last.
    if (!all[i]->supported()) continue;
    Lined<T> out(count);
    if (before != nullptr) std::memcpy(out.data(), before, out.bytes());
    run(*all[i], out.data());
    if (i + 1 == all.size()) {
      std::memcpy(expected.data(), out.data(), out.bytes());
    } else {
      for (std::size_t at = 0; at < count; ++at) {
        if (std::memcmp(expected.data() + at, out.data() + at, sizeof(T)) == 0) continue;
        std::fprintf(stderr, "fuzz: %s of %s: element %zu of %zu: expected %.9g, found %.9g\n", what,
                     std::string(all[i]->name).c_str(), at, count, static_cast<double>(expected[at]),
                     static_cast<double>(out[at]));
        Check(false, "every instruction set gives the same bits");
      }
    }
  }
}

// Codes as docs/format.md has them, whose sums `comp` needs.
void FillCodes(Shape& shape, WeightFormat format, std::size_t outputs, std::size_t inputs, Lined<std::uint8_t>& codes,
               Lined<std::uint8_t>& groups, Lined<std::int32_t>& comp) {
  const auto below = [&](std::size_t limit) { return static_cast<int>(shape.random()() % limit); };
  for (std::size_t n = 0; n < outputs; ++n) {
    std::int32_t sum = 0;
    int multiplier = 1, offset = 0;
    for (std::size_t k = 0; k < inputs; ++k) {
      const std::size_t lane = n % 16 * 4 + k % 4;
      if (format == WeightFormat::kQ8) {
        const int code = below(8) == 0 ? 127 - 254 * below(2) : below(255) - 127;
        codes[n / 16 * 16 * inputs + k / 4 * 64 + lane] = static_cast<std::uint8_t>(code);
        sum += code;
        continue;
      }
      const TwoLevel& levels = MatrixLevels(format);
      if (k % levels.group == 0) {
        multiplier = 1 + below(static_cast<std::size_t>(levels.largest_multiplier()));
        const int least = std::max(0, levels.largest_code() * multiplier - 127);
        offset = least + below(static_cast<std::size_t>(129 - least));
        std::uint8_t* data = &groups[n / 16 * levels.StripGroupBytes(inputs) + k / levels.group * levels.GroupBytes()];
        data[n % 16] = static_cast<std::uint8_t>(offset);
        const std::size_t bit = n % 16 * static_cast<std::size_t>(levels.multiplier_bits);
        data[16 + bit / 8] = static_cast<std::uint8_t>(data[16 + bit / 8] | (multiplier - 1) << bit % 8);
      }
      const int code = below(static_cast<std::size_t>(levels.largest_code()) + 1);
      sum += multiplier * code - offset;
      const auto add = [&](std::size_t line, int bits) {
        codes[line * 64 + lane] = static_cast<std::uint8_t>(codes[line * 64 + lane] | bits);
      };
      if (format == WeightFormat::kQ4) {
        add(n / 16 * (inputs / 8) + k / 8, k % 8 < 4 ? code : code << 4);
      } else {
        const std::size_t line = (n / 16 * (inputs / 16) + k / 16) * 3, within = k % 16 / 4;
        if (within < 3) add(line + within, code);
        for (std::size_t b = 0; within == 3 && b < 3; ++b) add(line + b, (code >> 2 * b & 3) << 6);
      }
    }
    comp[n] = -128 * sum;
  }
}

void Linear(Shape& shape) {
  const auto format = static_cast<WeightFormat>(shape.Next(0, 4));
  // Matrices of a model: a multiple of 64 both ways.
  const std::size_t outputs = 64 * shape.Next(1, 4), inputs = 64 * shape.Next(1, 5), rows = shape.Next(1, 40);
  const std::size_t first = 16 * shape.Next(0, outputs / 16 - 1);
  const std::size_t end = first + 16 * shape.Next(1, (outputs - first) / 16);
  const std::size_t stride = end - first + shape.Next(0, 9);
  const auto epilogue = static_cast<Epilogue>(shape.Next(0, 2));
  Lined<float> bias(outputs), scale(outputs), before(rows * stride), x(rows * inputs), row_scale(rows);
  for (Lined<float>* values : {&bias, &before, &x}) shape.Fill(*values);
  for (std::size_t i = 0; i < outputs; ++i) scale[i] = 0.001f * static_cast<float>(1 + i % 20);
  for (std::size_t i = 0; i < rows; ++i) row_scale[i] = 0.01f + 0.001f * static_cast<float>(i);
  const bool packed = IsTwoLevel(format);
  Lined<std::uint8_t> codes(packed                         ? MatrixLevels(format).CodeBytes(outputs * inputs)
                            : format == WeightFormat::kQ8  ? outputs * inputs
                            : format == WeightFormat::kF16 ? 2 * outputs * inputs
                                                           : 4 * outputs * inputs);
  Lined<std::uint8_t> groups(packed ? outputs / 16 * MatrixLevels(format).StripGroupBytes(inputs) : 0);
  Lined<std::int32_t> comp(outputs);
  Lined<std::uint8_t> values(rows * inputs);
  Matrix matrix = {
      .format = format, .outputs = outputs, .inputs = inputs, .weights = codes.data(), .bias = bias.data()};
  if (IsInteger(format)) {
    FillCodes(shape, format, outputs, inputs, codes, groups, comp);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint8_t>(1 + shape.random()() % 255);
    matrix.groups = groups.data();
    matrix.scale = scale.data();
    matrix.comp = comp.data();
  } else {
    for (std::size_t i = 0; i < outputs * inputs; ++i) {
      const float value = static_cast<float>(shape.random()() % 4096) / 20480.0f - 0.1f;
      if (format == WeightFormat::kF32) {
        std::memcpy(codes.data() + 4 * i, &value, 4);
      } else {
        const std::uint16_t half = FloatToHalf(value);
        std::memcpy(codes.data() + 2 * i, &half, 2);
      }
    }
  }
  Compare<float>("linear", before.size(), before.data(), [&](const Kernels& table, float* out) {
    const LinearOutput output = {first, end, rows, epilogue, out, stride};
    if (IsInteger(format)) {
      Lined<std::int8_t> panel(table.panel_bytes(inputs));
      table.linear_int8(matrix, {values.data(), inputs, row_scale.data()}, output, panel.data());
    } else {
      table.linear_float(matrix, x.data(), inputs, output);
    }
  });
}

void Attention(Shape& shape) {
  // Heads of a model are a multiple of 32 wide.
  const std::size_t width = 32 * shape.Next(1, kMaxHeadWidth / 32), tokens = shape.Next(1, 150);
  const std::size_t queries = 1 + shape.Next(0, 255) % tokens;
  const std::size_t stride = 3 * width, out_stride = width + 16 * shape.Next(0, 2);
  const bool integers = shape.Next(0, 1) == 1;
  const bool biased = shape.Next(0, 1) == 1;
  Lined<float> qkv(tokens * stride), bias(2 * tokens - 1 + kBiasTail);
  shape.Fill(qkv);
  shape.Fill(bias);
  Compare<float>(integers ? "attention_int8" : "attention_float", queries * out_stride, nullptr,
                 [&](const Kernels& table, float* out) {
                   Lined<std::byte> scratch(table.attention_bytes(tokens, width));
                   const AttentionHead head = {
                       qkv.data(), stride, tokens,     queries,
                       width,      out,    out_stride, biased ? bias.data() + (tokens - 1) : nullptr};
                   (integers ? table.attention_int8 : table.attention_float)(head, scratch.data());
                 });
}

void Rows(Shape& shape) {
  const std::size_t rows = shape.Next(1, 40), width = 64 * shape.Next(1, 24);
  Lined<float> x(rows * width), gamma(width), beta(width);
  for (Lined<float>* values : {&x, &gamma, &beta}) shape.Fill(*values);
  const auto activation = static_cast<Activation>(shape.Next(0, 5));
  const std::size_t first = shape.Next(1, 200);
  Compare<float>("layer_norm", x.size(), x.data(), [&](const Kernels& table, float* out) {
    table.layer_norm(out, gamma.data(), beta.data(), 1e-12f, rows, width);
  });
  Compare<float>("activate", x.size(), x.data(),
                 [&](const Kernels& table, float* out) { table.activate(activation, out, x.size()); });
  Compare<float>("sum", width, nullptr,
                 [&](const Kernels& table, float* out) { table.sum(x.data(), rows, width, 0.25f, out); });
  Compare<float>("weighted_mean", width, nullptr,
                 [&](const Kernels& table, float* out) { table.weighted_mean(x.data(), rows, width, first, out); });
  Compare<float>("largest", width, nullptr,
                 [&](const Kernels& table, float* out) { table.largest(x.data(), rows, width, out); });
  Compare<float>("normalize", width, x.data(), [&](const Kernels& table, float* out) { table.normalize(out, width); });
  const Rotation rotation = RotationFor(width);
  const Rotation* used = shape.Next(0, 1) == 1 ? &rotation : nullptr;
  Lined<float> workspace(width), scale(rows);
  Compare<std::uint8_t>("quantize", rows * width, nullptr, [&](const Kernels& table, std::uint8_t* out) {
    table.quantize(x.data(), rows, width, used, workspace.data(), {out, width, scale.data()});
  });
}

}  // namespace

void RunKernels(std::string_view input) {
  if (input.size() > 64) return;  // More says nothing.
  Shape shape(input);
  switch (shape.Next(0, 2)) {
    case 0:
      return Linear(shape);
    case 1:
      return Attention(shape);
    default:
      return Rows(shape);
  }
}

}  // namespace thimble::fuzz
