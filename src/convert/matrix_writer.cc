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
#include "model/tensors.h"

namespace thimble::convert {
namespace {

using kernels::kStrip;
using kernels::TwoLevel;
using kernels::WeightFormat;

void AddTensor(std::string name, format::ElementType type, std::span<const std::uint64_t> shape,
               format::Layout* layout) {
  format::TensorInfo& tensor = layout->tensors.emplace_back();
  tensor.name = std::move(name);
  tensor.type = type;
  tensor.shape.assign(shape.begin(), shape.end());
}

void AddTensors(const std::string& name, WeightFormat format, std::span<const model::StoredTensor> tensors,
                format::Layout* layout) {
  layout->metadata.emplace_back(name + ".format", kernels::WeightFormatName(format));
  for (const model::StoredTensor& stored : tensors) {
    AddTensor(name + std::string(stored.suffix()), stored.type, stored.shape(), layout);
  }
}

// Codes into bytes, in runs of `run` codes that lie `step` bytes apart; see kernels::MatrixLevels and RowLevels, whose
// runs are the four inputs of an output of a strip, and 16 neighbours of a row.
void PackCodes(int bits, std::span<const std::uint8_t> codes, std::size_t run, std::size_t step, std::uint8_t* out) {
  const std::size_t runs = codes.size() / run;
  for (std::size_t j = 0; j < runs; ++j) {
    for (std::size_t i = 0; i < run; ++i) {
      const unsigned code = codes[j * run + i];
      auto set = [&](std::size_t line, unsigned value, int shift) {
        std::uint8_t& byte = out[line * step + i];
        byte = static_cast<std::uint8_t>(byte | value << shift);
      };
      if (bits == 4) {
        set(j / 2, code, j % 2 == 0 ? 0 : 4);
      } else if (j % 4 < 3) {
        set(j / 4 * 3 + j % 4, code, 0);
      } else {
        for (std::size_t b = 0; b < 3; ++b) set(j / 4 * 3 + b, code >> 2 * b & 3, 6);
      }
    }
  }
}

// Multiplier number `index` into packed bytes.
void PackMultiplier(const TwoLevel& levels, std::size_t index, int multiplier, std::uint8_t* out) {
  const std::size_t bit = index * static_cast<std::size_t>(levels.multiplier_bits);
  out[bit / 8] = static_cast<std::uint8_t>(out[bit / 8] | (multiplier - 1) << bit % 8);
}

// The integer weights of a matrix on their way from rows into the tensors beside each other: whatever quantised a row
// hands it to Set.
class IntegerMatrix {
 public:
  explicit IntegerMatrix(const MatrixSpec& spec)
      : spec_(spec),
        levels_(kernels::MatrixLevels(spec.format)),
        strip_((kernels::IsTwoLevel(spec.format) ? levels_.CodeBytes(spec.inputs) : spec.inputs) * kStrip),
        groups_(kernels::IsTwoLevel(spec.format) ? spec.outputs / kStrip * levels_.StripGroupBytes(spec.inputs) : 0),
        scale_(spec.outputs),
        comp_(spec.outputs) {}

  // Row n; rows come in order.
  void Set(std::size_t n, const Int8Row& row) {
    for (std::size_t k = 0; k < spec_.inputs; ++k) {
      strip_[k / 4 * 64 + n % kStrip * 4 + k % 4] = static_cast<std::uint8_t>(row.codes[k]);
    }
    SetChannel(n, row.scale, [&](std::size_t k) { return row.codes[k]; });
  }
  void Set(std::size_t n, const TwoLevelRow& row) {
    if (n % kStrip == 0) std::fill(strip_.begin(), strip_.end(), std::uint8_t{0});
    PackCodes(levels_.bits, row.codes, 4, 64, &strip_[n % kStrip * 4]);
    std::uint8_t* data = &groups_[n / kStrip * levels_.StripGroupBytes(spec_.inputs)];
    for (std::size_t g = 0; g < row.multipliers.size(); ++g, data += levels_.GroupBytes()) {
      data[n % kStrip] = row.offsets[g];
      PackMultiplier(levels_, n % kStrip, row.multipliers[g], data + kStrip);
    }
    SetChannel(n, row.scale, [&](std::size_t k) { return row.Value(k); });
  }

  // After the last row of each strip.
  Status WriteStrip(format::Writer* writer) const {
    return writer->Append(spec_.name + ".weight", std::as_bytes(std::span(strip_)));
  }
  // After the last row.
  Status WriteRest(format::Writer* writer) const {
    if (!groups_.empty()) {
      THIMBLE_RETURN_IF_ERROR(AppendValues<std::uint8_t>(spec_.name + ".groups", groups_, writer));
    }
    THIMBLE_RETURN_IF_ERROR(AppendValues<float>(spec_.name + ".scale", scale_, writer));
    return AppendValues<std::int32_t>(spec_.name + ".comp", comp_, writer);
  }

 private:
  template <typename ValueOf>
  void SetChannel(std::size_t n, float scale, ValueOf value) {
    std::int32_t sum = 0;
    for (std::size_t k = 0; k < spec_.inputs; ++k) sum += value(k);
    scale_[n] = scale;
    comp_[n] = -128 * sum;
  }

  const MatrixSpec& spec_;
  const TwoLevel& levels_;
  std::vector<std::uint8_t> strip_, groups_;
  std::vector<float> scale_;
  std::vector<std::int32_t> comp_;
};

// kUnsupported unless all of the binary16 values of a tensor are finite.
Status CheckHalves(std::string_view tensor, std::span<const std::uint16_t> values) {
  bool finite = true;
  for (std::uint16_t value : values) finite &= (value & 0x7c00) != 0x7c00;
  if (finite) return Status();
  return Error(Code::kUnsupported, "tensor \"", tensor, "\": a value is beyond 65504, the largest of binary16");
}

}  // namespace

void DeclareVector(const std::string& name, std::size_t size, format::ElementType type, format::Layout* layout) {
  const std::uint64_t shape[] = {size};
  AddTensor(name, type, shape, layout);
}

void DeclareNorm(const std::string& name, std::size_t width, format::Layout* layout) {
  DeclareVector(name + ".weight", width, format::ElementType::kF32, layout);
  DeclareVector(name + ".bias", width, format::ElementType::kF32, layout);
}

void Declare(const MatrixSpec& spec, format::Layout* layout) {
  AddTensors(spec.name, spec.format, model::TensorsOfMatrix(spec.format, spec.outputs, spec.inputs), layout);
}

void Declare(const TableSpec& spec, format::Layout* layout) {
  AddTensors(spec.name, spec.format, model::TensorsOfTable(spec.format, spec.rows, spec.width), layout);
}

Status WriteMatrix(const MatrixSpec& spec, const ReadRows& read, const QuantizedMatrix* quantized,
                   std::span<const float> bias, format::Writer* writer) {
  const std::size_t inputs = spec.inputs;
  const std::string weight = spec.name + ".weight";
  std::vector<float> rows(kStrip * inputs);
  std::vector<float> floats(spec.format == WeightFormat::kF32 ? kStrip * inputs : 0);
  std::vector<std::uint16_t> halves(spec.format == WeightFormat::kF16 ? kStrip * inputs : 0);
  IntegerMatrix integers(spec);
  Int8Row int8;
  TwoLevelRow two_level;
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
        case WeightFormat::kQ8:
          if (quantized == nullptr) QuantizeInt8(row, &int8);
          integers.Set(n + column, quantized == nullptr ? int8 : quantized->int8[n + column]);
          break;
        case WeightFormat::kQ6:
        case WeightFormat::kQ4:
          if (quantized == nullptr) QuantizeTwoLevel(kernels::MatrixLevels(spec.format), row, &two_level);
          integers.Set(n + column, quantized == nullptr ? two_level : quantized->two_level[n + column]);
          break;
      }
    }
    if (spec.format == WeightFormat::kF32) {
      THIMBLE_RETURN_IF_ERROR(AppendValues<float>(weight, floats, writer));
    } else if (spec.format == WeightFormat::kF16) {
      THIMBLE_RETURN_IF_ERROR(CheckHalves(weight, halves));
      THIMBLE_RETURN_IF_ERROR(AppendValues<std::uint16_t>(weight, halves, writer));
    } else {
      THIMBLE_RETURN_IF_ERROR(integers.WriteStrip(writer));
    }
  }
  if (kernels::IsInteger(spec.format)) THIMBLE_RETURN_IF_ERROR(integers.WriteRest(writer));
  return AppendValues<float>(spec.name + ".bias", bias, writer);
}

Status WriteTable(const TableSpec& spec, const ReadRows& read, format::Writer* writer) {
  const std::string weight = spec.name + ".weight";
  const TwoLevel& levels = kernels::RowLevels(spec.format);
  const std::size_t row_bytes = kernels::RowBytes(spec.format, spec.width);
  constexpr std::size_t kRows = 64;  // At a time.
  std::vector<float> rows;
  std::vector<std::uint16_t> halves;
  std::vector<std::uint8_t> codes;
  TwoLevelRow two_level;
  std::vector<std::uint16_t> scale(kernels::IsInteger(spec.format) ? RoundUp(spec.rows, 32) : 0);
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
      codes.assign(count * row_bytes, 0);
      for (std::size_t i = 0; i < count; ++i) {
        const std::span<const float> row(&rows[i * spec.width], spec.width);
        std::uint8_t* out = &codes[i * row_bytes];
        if (spec.format == WeightFormat::kQ8) {
          scale[first + i] = QuantizeInt8Half(row, reinterpret_cast<std::int8_t*>(out));
          continue;
        }
        scale[first + i] = QuantizeTwoLevelHalf(levels, row, &two_level);
        PackCodes(levels.bits, two_level.codes, 16, 16, out);
        for (std::size_t g = 0; g < two_level.multipliers.size(); ++g) {
          PackMultiplier(levels, g, two_level.multipliers[g], out + levels.CodeBytes(spec.width));
        }
      }
      // The layout counts whole cache lines.
      if (first + count == spec.rows) {
        codes.resize(codes.size() + RoundUp(spec.rows * row_bytes, 64) - spec.rows * row_bytes);
      }
      THIMBLE_RETURN_IF_ERROR(AppendValues<std::uint8_t>(weight, codes, writer));
    }
  }
  if (!kernels::IsInteger(spec.format)) return Status();
  THIMBLE_RETURN_IF_ERROR(CheckHalves(spec.name + ".scale", scale));
  return AppendValues<std::uint16_t>(spec.name + ".scale", scale, writer);
}

}  // namespace thimble::convert
