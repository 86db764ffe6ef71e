// The layouts of kernels/matrix.h, from rows.

#include "convert/matrix_writer.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/checked.h"
#include "base/error.h"
#include "convert/gptq.h"
#include "convert/quantize.h"
#include "kernels/half.h"

namespace thimble::convert {
namespace {

using format::ElementType;
using kernels::kQ4Group;
using kernels::kQ4GroupBytes;
using kernels::kStrip;
using kernels::WeightFormat;

void Add(format::Layout* layout, std::string name, ElementType type, std::vector<std::uint64_t> shape) {
  format::TensorInfo tensor;
  tensor.name = std::move(name);
  tensor.type = type;
  tensor.shape = std::move(shape);
  layout->tensors.push_back(std::move(tensor));
}

void AddFormat(format::Layout* layout, const std::string& name, WeightFormat format) {
  layout->metadata.emplace_back(name + ".format", kernels::WeightFormatName(format));
}

bool Quantised(WeightFormat format) { return format == WeightFormat::kQ8 || format == WeightFormat::kQ4; }

// int8 values of one row (what the integer kernels multiply) into its column of a strip, [K/4][16][4].
template <typename ValueOf>
void PackInt8(std::size_t inputs, std::size_t column, ValueOf value, std::span<std::int8_t> strip) {
  for (std::size_t k = 0; k < inputs; ++k) strip[k / 4 * 64 + column * 4 + k % 4] = value(k);
}

void PackQ4(const Q4Row& row, std::size_t column, std::span<std::uint8_t> codes, std::span<std::uint8_t> groups) {
  for (std::size_t k = 0; k < row.codes.size(); ++k) {
    std::size_t within = k % kQ4Group;
    std::uint8_t& byte = codes[k / kQ4Group * 256 + within / 8 * 64 + column * 4 + within % 4];
    byte = static_cast<std::uint8_t>(within / 4 % 2 == 0 ? row.codes[k] : byte | row.codes[k] << 4);
  }
  for (std::size_t g = 0; g < row.multipliers.size(); ++g) {
    std::uint8_t* data = &groups[g * kQ4GroupBytes];
    data[column] = row.offsets[g];
    std::uint8_t& pair = data[kStrip + column / 2];
    std::uint8_t stored = static_cast<std::uint8_t>(row.multipliers[g] - 1);
    pair = static_cast<std::uint8_t>(column % 2 == 0 ? stored : pair | stored << 4);
  }
}

// kUnsupported unless all of the binary16 values of a tensor are finite.
Status CheckHalves(std::string_view tensor, std::span<const std::uint16_t> values) {
  bool finite = true;
  for (std::uint16_t value : values) finite &= (value & 0x7c00) != 0x7c00;
  if (finite) return Status();
  return Error(Code::kUnsupported, "tensor \"", tensor, "\": a value is beyond 65504, the largest of binary16");
}

// What stands beside quantised weights: [N] each.
struct Channels {
  explicit Channels(std::size_t outputs) : scale(outputs), comp(outputs) {}
  template <typename ValueOf>
  void Set(std::size_t n, float s, std::size_t inputs, ValueOf value) {
    std::int32_t sum = 0;
    for (std::size_t k = 0; k < inputs; ++k) sum += value(k);
    scale[n] = s;
    comp[n] = -128 * sum;
  }
  std::vector<float> scale;
  std::vector<std::int32_t> comp;
};

}  // namespace

void Declare(const MatrixSpec& spec, format::Layout* layout) {
  AddFormat(layout, spec.name, spec.format);
  const std::uint64_t strips = spec.outputs / kStrip, inputs = spec.inputs;
  const std::string weight = spec.name + ".weight";
  switch (spec.format) {
    case WeightFormat::kF32:
      Add(layout, weight, ElementType::kF32, {strips, inputs, kStrip});
      break;
    case WeightFormat::kF16:
      Add(layout, weight, ElementType::kF16, {strips, inputs, kStrip});
      break;
    case WeightFormat::kQ8:
      Add(layout, weight, ElementType::kI8, {strips, inputs / 4, kStrip, 4});
      break;
    case WeightFormat::kQ4:
      Add(layout, weight, ElementType::kU8, {strips, inputs / kQ4Group, 4, kStrip, 4});
      Add(layout, spec.name + ".groups", ElementType::kU8, {strips, inputs / kQ4Group, kQ4GroupBytes});
      break;
  }
  if (Quantised(spec.format)) {
    Add(layout, spec.name + ".scale", ElementType::kF32, {spec.outputs});
    Add(layout, spec.name + ".comp", ElementType::kI32, {spec.outputs});
  }
  Add(layout, spec.name + ".bias", ElementType::kF32, {spec.outputs});
}

void Declare(const TableSpec& spec, format::Layout* layout) {
  AddFormat(layout, spec.name, spec.format);
  ElementType type = spec.format == WeightFormat::kF32   ? ElementType::kF32
                     : spec.format == WeightFormat::kF16 ? ElementType::kF16
                                                         : ElementType::kI8;
  Add(layout, spec.name + ".weight", type, {spec.rows, spec.width});
  if (spec.format == WeightFormat::kQ8) {
    Add(layout, spec.name + ".scale", ElementType::kF16, {RoundUp(spec.rows, 32)});
  }
}

Status WriteMatrix(const MatrixSpec& spec, const ReadRows& read, const QuantizedMatrix* quantized,
                   std::span<const float> bias, format::Writer* writer) {
  const std::size_t inputs = spec.inputs;
  const std::string weight = spec.name + ".weight";
  std::vector<float> rows(kStrip * inputs);
  std::vector<float> floats(spec.format == WeightFormat::kF32 ? kStrip * inputs : 0);
  std::vector<std::uint16_t> halves(spec.format == WeightFormat::kF16 ? kStrip * inputs : 0);
  std::vector<std::int8_t> codes(spec.format == WeightFormat::kQ8 ? kStrip * inputs : 0);
  std::vector<std::uint8_t> nibbles(spec.format == WeightFormat::kQ4 ? kStrip * inputs / 2 : 0);
  std::vector<std::uint8_t> groups(
      spec.format == WeightFormat::kQ4 ? spec.outputs / kStrip * inputs / kQ4Group * kQ4GroupBytes : 0);
  Channels channels(Quantised(spec.format) ? spec.outputs : 0);
  Int8Row int8;
  Q4Row q4;
  for (std::size_t n = 0; n < spec.outputs; n += kStrip) {
    if (quantized == nullptr) THIMBLE_RETURN_IF_ERROR(read(n, rows));
    for (std::size_t column = 0; column < kStrip; ++column) {
      std::span<float> row(&rows[column * inputs], inputs);
      if (quantized == nullptr && spec.rotation) RotateWeights(*spec.rotation, row);
      switch (spec.format) {
        case WeightFormat::kF32:
          for (std::size_t k = 0; k < inputs; ++k) floats[kStrip * k + column] = row[k];
          break;
        case WeightFormat::kF16:
          for (std::size_t k = 0; k < inputs; ++k) halves[kStrip * k + column] = kernels::FloatToHalf(row[k]);
          break;
        case WeightFormat::kQ8: {
          if (quantized == nullptr) QuantizeInt8(row, &int8);
          const Int8Row& kept = quantized == nullptr ? int8 : quantized->int8[n + column];
          auto value = [&](std::size_t k) { return kept.codes[k]; };
          PackInt8(inputs, column, value, codes);
          channels.Set(n + column, kept.scale, inputs, value);
          break;
        }
        case WeightFormat::kQ4: {
          if (quantized == nullptr) QuantizeQ4(row, &q4);
          const Q4Row& kept = quantized == nullptr ? q4 : quantized->q4[n + column];
          const std::size_t strip_groups = inputs / kQ4Group * kQ4GroupBytes;
          PackQ4(kept, column, nibbles, {&groups[n / kStrip * strip_groups], strip_groups});
          channels.Set(n + column, kept.scale, inputs, [&](std::size_t k) { return kept.Value(k); });
          break;
        }
      }
    }
    switch (spec.format) {
      case WeightFormat::kF32:
        THIMBLE_RETURN_IF_ERROR(AppendValues<float>(weight, floats, writer));
        break;
      case WeightFormat::kF16:
        THIMBLE_RETURN_IF_ERROR(CheckHalves(weight, halves));
        THIMBLE_RETURN_IF_ERROR(AppendValues<std::uint16_t>(weight, halves, writer));
        break;
      case WeightFormat::kQ8:
        THIMBLE_RETURN_IF_ERROR(AppendValues<std::int8_t>(weight, codes, writer));
        break;
      case WeightFormat::kQ4:
        THIMBLE_RETURN_IF_ERROR(AppendValues<std::uint8_t>(weight, nibbles, writer));
        break;
    }
  }
  if (spec.format == WeightFormat::kQ4) {
    THIMBLE_RETURN_IF_ERROR(AppendValues<std::uint8_t>(spec.name + ".groups", groups, writer));
  }
  if (Quantised(spec.format)) {
    THIMBLE_RETURN_IF_ERROR(AppendValues<float>(spec.name + ".scale", channels.scale, writer));
    THIMBLE_RETURN_IF_ERROR(AppendValues<std::int32_t>(spec.name + ".comp", channels.comp, writer));
  }
  return AppendValues<float>(spec.name + ".bias", bias, writer);
}

Status WriteTable(const TableSpec& spec, const ReadRows& read, format::Writer* writer) {
  const std::string weight = spec.name + ".weight";
  constexpr std::size_t kRows = 64;  // At a time.
  std::vector<float> rows;
  std::vector<std::uint16_t> halves;
  std::vector<std::int8_t> codes;
  std::vector<std::uint16_t> scale(spec.format == WeightFormat::kQ8 ? RoundUp(spec.rows, 32) : 0);
  for (std::size_t first = 0; first < spec.rows; first += kRows) {
    const std::size_t count = std::min(kRows, spec.rows - first);
    rows.resize(count * spec.width);
    THIMBLE_RETURN_IF_ERROR(read(first, rows));
    if (spec.format == WeightFormat::kF32) {
      THIMBLE_RETURN_IF_ERROR(AppendValues<float>(weight, rows, writer));
    } else if (spec.format == WeightFormat::kF16) {
      halves.resize(rows.size());
      std::transform(rows.begin(), rows.end(), halves.begin(), kernels::FloatToHalf);
      THIMBLE_RETURN_IF_ERROR(CheckHalves(weight, halves));
      THIMBLE_RETURN_IF_ERROR(AppendValues<std::uint16_t>(weight, halves, writer));
    } else {
      codes.resize(rows.size());
      for (std::size_t i = 0; i < count; ++i) {
        scale[first + i] = QuantizeInt8Half({&rows[i * spec.width], spec.width}, &codes[i * spec.width]);
      }
      THIMBLE_RETURN_IF_ERROR(AppendValues<std::int8_t>(weight, codes, writer));
    }
  }
  if (spec.format != WeightFormat::kQ8) return Status();
  THIMBLE_RETURN_IF_ERROR(CheckHalves(spec.name + ".scale", scale));
  return AppendValues<std::uint16_t>(spec.name + ".scale", scale, writer);
}

}  // namespace thimble::convert
