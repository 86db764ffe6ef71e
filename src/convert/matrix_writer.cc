// The layouts of kernels/matrix.h, from rows.

#include "convert/matrix_writer.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "convert/gptq.h"
#include "convert/quantize.h"
#include "format/tensors.h"
#include "kernels/half.h"

namespace thimble::convert {
namespace {

using format::kStrip;
using format::StoredTensor;
using format::TwoLevel;
using format::WeightFormat;

void AddTensor(std::string name, format::ElementType type, std::span<const std::uint64_t> shape,
               format::Layout* layout) {
  format::TensorInfo& tensor = layout->tensors.emplace_back();
  tensor.name = std::move(name);
  tensor.type = type;
  tensor.shape.assign(shape.begin(), shape.end());
}

void AddTensors(const std::string& name, WeightFormat format, std::span<const StoredTensor> tensors,
                format::Layout* layout) {
  layout->metadata.emplace_back(name + ".format", format::WeightFormatName(format));
  for (const StoredTensor& stored : tensors) {
    AddTensor(name + std::string(stored.suffix()), stored.type, stored.shape(), layout);
  }
}

// Codes into the zeros at `out`, in runs of `run` codes that lie `step` bytes apart: of a matrix the four inputs of an
// output of a strip, of a table 16 neighbours of a row.
void PackCodes(const TwoLevel& levels, std::span<const std::uint8_t> codes, std::size_t run, std::size_t step,
               std::uint8_t* out) {
  for (std::size_t k = 0; k < codes.size(); ++k) {
    const std::size_t line = k / run, bundle = line / levels.bundle_lines();
    std::uint8_t* const bytes = out + bundle * levels.stored_lines() * step + k % run;
    levels.SetCode(bytes, step, line % levels.bundle_lines(), codes[k]);
  }
}

// kUnsupported unless all of the binary16 values of a tensor are finite.
Status CheckHalves(std::string_view tensor, std::span<const std::uint16_t> values) {
  bool finite = true;
  for (std::uint16_t value : values) finite &= (value & 0x7c00) != 0x7c00;
  if (finite) return Status();
  return Error(Code::kUnsupported, "tensor \"", tensor, "\": a value is beyond 65504, the largest of binary16");
}

// The weights of a matrix on their way from rows into the tensors beside each other; rows come in order.
class MatrixPacker {
 public:
  explicit MatrixPacker(const MatrixSpec& spec)
      : spec_(spec),
        levels_(format::MatrixLevels(spec.format)),
        stored_(format::TensorsOfMatrix(spec.format, spec.outputs, spec.inputs)),
        strip_(stored_[0].bytes() / (spec.outputs / kStrip)),
        groups_(format::IsTwoLevel(spec.format) ? stored_[1].bytes() : 0),
        scale_(spec.outputs),
        comp_(spec.outputs) {}

  // Row n.
  void Set(std::size_t n, std::span<const float> row) {
    for (std::size_t k = 0; k < spec_.inputs; ++k) {
      const std::size_t index = kStrip * k + n % kStrip;
      if (spec_.format == WeightFormat::kF32) {
        SetValue(index, row[k]);
      } else {
        SetValue(index, kernels::FloatToHalf(row[k]));
      }
    }
  }
  void Set(std::size_t n, const Int8Row& row) {
    for (std::size_t k = 0; k < spec_.inputs; ++k) SetValue(k / 4 * 64 + n % kStrip * 4 + k % 4, row.codes[k]);
    SetChannel(n, row.scale, [&](std::size_t k) { return row.codes[k]; });
  }
  void Set(std::size_t n, const TwoLevelRow& row) {
    if (n % kStrip == 0) std::fill(strip_.begin(), strip_.end(), std::uint8_t{0});
    PackCodes(levels_, row.codes, 4, 64, &strip_[n % kStrip * 4]);
    std::uint8_t* data = &groups_[n / kStrip * levels_.StripGroupBytes(spec_.inputs)];
    for (std::size_t g = 0; g < row.multipliers.size(); ++g, data += levels_.GroupBytes()) {
      data[n % kStrip] = row.offsets[g];
      levels_.SetMultiplier(data + kStrip, n % kStrip, row.multipliers[g]);
    }
    SetChannel(n, row.scale, [&](std::size_t k) { return row.Value(k); });
  }

  // After the last row of each strip.
  Status WriteStrip(format::Writer* writer) const {
    const std::string name = spec_.name + ".weight";
    if (spec_.format == WeightFormat::kF16) {
      std::vector<std::uint16_t> halves(strip_.size() / 2);
      std::memcpy(halves.data(), strip_.data(), strip_.size());
      THIMBLE_RETURN_IF_ERROR(CheckHalves(name, halves));
    }
    return AppendValues<std::uint8_t>(name, strip_, writer);
  }
  // After the last row.
  Status WriteRest(std::span<const float> bias, format::Writer* writer) const {
    if (!groups_.empty()) {
      THIMBLE_RETURN_IF_ERROR(AppendValues<std::uint8_t>(spec_.name + ".groups", groups_, writer));
    }
    if (format::IsInteger(spec_.format)) {
      THIMBLE_RETURN_IF_ERROR(AppendValues<float>(spec_.name + ".scale", scale_, writer));
      THIMBLE_RETURN_IF_ERROR(AppendValues<std::int32_t>(spec_.name + ".comp", comp_, writer));
    }
    return AppendValues<float>(spec_.name + ".bias", bias, writer);
  }

 private:
  template <typename T>
  void SetValue(std::size_t index, T value) {
    std::memcpy(&strip_[index * sizeof value], &value, sizeof value);
  }
  template <typename ValueOf>
  void SetChannel(std::size_t n, float scale, ValueOf value) {
    std::int32_t sum = 0;
    for (std::size_t k = 0; k < spec_.inputs; ++k) sum += value(k);
    scale_[n] = scale;
    comp_[n] = -128 * sum;
  }

  const MatrixSpec& spec_;
  const TwoLevel& levels_;
  const std::vector<StoredTensor> stored_;
  std::vector<std::uint8_t> strip_, groups_;
  std::vector<float> scale_;
  std::vector<std::int32_t> comp_;
};

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
  AddTensors(spec.name, spec.format, format::TensorsOfMatrix(spec.format, spec.outputs, spec.inputs), layout);
}

void Declare(const TableSpec& spec, format::Layout* layout) {
  AddTensors(spec.name, spec.format, format::TensorsOfTable(spec.format, spec.rows, spec.width), layout);
}

Status WriteMatrix(const MatrixSpec& spec, const ReadRows& read, const QuantizedMatrix* quantized,
                   std::span<const float> bias, format::Writer* writer) {
  const std::size_t inputs = spec.inputs;
  std::vector<float> rows(kStrip * inputs);
  MatrixPacker packer(spec);
  Int8Row int8;
  TwoLevelRow two_level;
  for (std::size_t n = 0; n < spec.outputs; n += kStrip) {
    if (quantized == nullptr) THIMBLE_RETURN_IF_ERROR(read(n, rows));
    for (std::size_t column = 0; column < kStrip; ++column) {
      const std::span<float> row(&rows[column * inputs], inputs);
      if (quantized == nullptr && spec.rotation) RotateWeights(*spec.rotation, row);
      if (!format::IsInteger(spec.format)) {
        packer.Set(n + column, row);
      } else if (spec.format == WeightFormat::kQ8) {
        if (quantized == nullptr) QuantizeInt8(row, &int8);
        packer.Set(n + column, quantized == nullptr ? int8 : quantized->int8[n + column]);
      } else {
        if (quantized == nullptr) QuantizeTwoLevel(format::MatrixLevels(spec.format), row, &two_level);
        packer.Set(n + column, quantized == nullptr ? two_level : quantized->two_level[n + column]);
      }
    }
    THIMBLE_RETURN_IF_ERROR(packer.WriteStrip(writer));
  }
  return packer.WriteRest(bias, writer);
}

Status WriteTable(const TableSpec& spec, const ReadRows& read, format::Writer* writer) {
  const std::string weight = spec.name + ".weight";
  const std::vector<StoredTensor> stored = format::TensorsOfTable(spec.format, spec.rows, spec.width);
  const TwoLevel& levels = format::RowLevels(spec.format);
  const std::size_t row_bytes = format::RowBytes(spec.format, spec.width);
  constexpr std::size_t kRows = 64;  // At a time.
  std::vector<float> rows;
  std::vector<std::uint16_t> halves;
  std::vector<std::uint8_t> codes;
  TwoLevelRow two_level;
  std::vector<std::uint16_t> scale(format::IsInteger(spec.format) ? stored[1].bytes() / 2 : 0);
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
        PackCodes(levels, two_level.codes, 16, 16, out);
        for (std::size_t g = 0; g < two_level.multipliers.size(); ++g) {
          levels.SetMultiplier(out + levels.CodeBytes(spec.width), g, two_level.multipliers[g]);
        }
      }
      // The layout counts whole cache lines.
      if (first + count == spec.rows) codes.resize(codes.size() + stored[0].bytes() - spec.rows * row_bytes);
      THIMBLE_RETURN_IF_ERROR(AppendValues<std::uint8_t>(weight, codes, writer));
    }
  }
  if (scale.empty()) return Status();
  THIMBLE_RETURN_IF_ERROR(CheckHalves(spec.name + ".scale", scale));
  return AppendValues<std::uint16_t>(spec.name + ".scale", scale, writer);
}

}  // namespace thimble::convert
