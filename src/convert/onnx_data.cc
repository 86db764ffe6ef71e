// Where tensors' data lie, and what their bytes mean.

#include "convert/onnx_data.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>
#include <protozero/exception.hpp>
#include <protozero/varint.hpp>
#include <utility>

#include "base/checked.h"
#include "base/error.h"
#include "format/safetensors.h"
#include "kernels/half.h"

namespace thimble::convert {
namespace {

constexpr std::size_t kMaxExternalFiles = 256;
constexpr std::uint64_t kMaxListed = 1 << 26;  // Integers in a list, which take 8 bytes each in memory.

std::uint64_t ElementBits(OnnxType type) {
  using enum OnnxType;
  switch (type) {
    case kUint4:
    case kInt4:
      return 4;
    case kUint8:
    case kInt8:
    case kBool:
      return 8;
    case kUint16:
    case kInt16:
    case kFloat16:
    case kBfloat16:
      return 16;
    case kFloat:
    case kInt32:
    case kUint32:
      return 32;
    case kInt64:
    case kUint64:
    case kDouble:
      return 64;
  }
  return 0;
}

// The text of a number; nullopt for any other.
std::optional<std::uint64_t> Number(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

template <typename T>
T Load(std::span<const std::byte> bytes, std::uint64_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

std::uint64_t Nibble(std::span<const std::byte> bytes, std::uint64_t index) {
  return static_cast<std::uint64_t>(bytes[index / 2]) >> (index % 2 * 4) & 15;
}

double HalfValue(std::uint16_t bits) { return kernels::HalfToFloat(bits); }
double Bfloat16Value(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

}  // namespace

std::string OnnxTypeName(OnnxType type) {
  using enum OnnxType;
  switch (type) {
    case kFloat:
      return "float";
    case kUint8:
      return "uint8";
    case kInt8:
      return "int8";
    case kUint16:
      return "uint16";
    case kInt16:
      return "int16";
    case kInt32:
      return "int32";
    case kInt64:
      return "int64";
    case kBool:
      return "bool";
    case kFloat16:
      return "float16";
    case kDouble:
      return "double";
    case kUint32:
      return "uint32";
    case kUint64:
      return "uint64";
    case kBfloat16:
      return "bfloat16";
    case kUint4:
      return "uint4";
    case kInt4:
      return "int4";
  }
  return "type " + std::to_string(static_cast<std::int32_t>(type));
}

Status OnnxData::Load(std::size_t index) {
  Loaded& loaded = loaded_[index];
  if (loaded.done) return Status();
  const OnnxTensor& tensor = file_.tensors()[index];
  const std::string what = file_.path() + ": tensor \"" + std::string(tensor.name) + "\"";
  const std::uint64_t bits = ElementBits(tensor.type);
  if (bits == 0) return Error(Code::kUnsupported, what, ": expected numbers, found ", OnnxTypeName(tensor.type));
  const auto elements = base::CheckedProduct(tensor.shape);
  const auto total_bits = elements ? base::CheckedMul(*elements, bits) : std::nullopt;
  if (!total_bits) return Error(Code::kCorrupt, what, ": its shape is too large");
  const std::uint64_t bytes = *total_bits / 8 + (*total_bits % 8 != 0);
  loaded.elements = *elements;
  if (tensor.external) {
    THIMBLE_RETURN_IF_ERROR(LoadExternal(tensor, bytes, &loaded));
  } else if (tensor.varints) {
    if (bits == 4 || tensor.type == OnnxType::kFloat || tensor.type == OnnxType::kDouble) {
      return Error(Code::kUnsupported, what, ": ", OnnxTypeName(tensor.type), " in a list of integers");
    }
    if (*elements > kMaxListed) return Error(Code::kUnsupported, what, ": a list of ", *elements, " integers");
    const char* next = reinterpret_cast<const char*>(tensor.data.data());
    const char* const end = next + tensor.data.size();
    try {
      while (next != end && loaded.integers.size() <= *elements) {
        loaded.integers.push_back(static_cast<std::int64_t>(protozero::decode_varint(&next, end)));
      }
    } catch (const protozero::exception&) {
      return Error(Code::kCorrupt, what, ": its list of integers is cut short");
    }
    if (loaded.integers.size() != *elements) {
      return Error(Code::kCorrupt, what, " of shape ", format::ShapeText(tensor.shape), ": expected ", *elements,
                   " elements, found ", loaded.integers.size());
    }
  } else {
    if (tensor.data.size() != bytes) {
      return Error(Code::kCorrupt, what, " of shape ", format::ShapeText(tensor.shape), ": expected ", bytes,
                   " bytes in the file, found ", tensor.data.size());
    }
    loaded.bytes = tensor.data;
  }
  loaded.done = true;
  return Status();
}

Status OnnxData::LoadExternal(const OnnxTensor& tensor, std::uint64_t bytes, Loaded* loaded) {
  const std::string what = file_.path() + ": tensor \"" + std::string(tensor.name) + "\": external data";
  const std::string location(tensor.location);
  // A name of a file and no path: what exporters write. Nothing outside the folder is ever opened by a model's word; a
  // link under this name is the user's own, as in the hub's cache.
  if (location.empty() || location == "." || location == ".." || location.size() > 255 ||
      location.find_first_of(std::string_view("/\\:\0", 4)) != std::string::npos) {
    return Error(Code::kInvalidArgument, what, ": expected the name of a file beside the model, found \"", location,
                 "\"");
  }
  const auto offset = tensor.offset.empty() ? 0 : Number(tensor.offset);
  const auto length = tensor.length.empty() ? bytes : Number(tensor.length);
  if (!offset || !length || *length != bytes) {
    return Error(Code::kCorrupt, what, ": expected ", bytes, " bytes, found offset \"", tensor.offset,
                 "\" and length \"", tensor.length, "\"");
  }
  auto found = maps_.find(location);
  if (found == maps_.end()) {
    if (maps_.size() == kMaxExternalFiles) return Error(Code::kUnsupported, what, ": more than 256 files");
    const std::size_t slash = file_.path().find_last_of("/\\");
    const std::string folder = slash == std::string::npos ? "" : file_.path().substr(0, slash + 1);
    THIMBLE_ASSIGN_OR_RETURN(base::FileMap map, base::FileMap::Open(folder + location));
    found = maps_.emplace(location, std::move(map)).first;
  }
  const std::span<const std::byte> file = found->second.bytes();
  if (*offset > file.size() || bytes > file.size() - *offset) {
    return Error(Code::kCorrupt, what, ": expected ", bytes, " bytes at ", *offset, " of \"", location,
                 "\", found a file of ", file.size());
  }
  loaded->bytes = file.subspan(*offset, bytes);
  return Status();
}

Status OnnxData::Load(const OnnxWeight& weight) {
  THIMBLE_RETURN_IF_ERROR(Load(weight.tensor));
  if (!weight.quantization) return Status();
  const OnnxQuantization& how = *weight.quantization;
  THIMBLE_RETURN_IF_ERROR(Load(how.scale));
  if (how.zero) THIMBLE_RETURN_IF_ERROR(Load(*how.zero));
  // Of `count` integers in rows of `axis`.
  const std::uint64_t stored = Elements(weight.tensor);
  const std::uint64_t axis = std::max<std::uint64_t>(how.axis, 1);
  const std::uint64_t blocks = how.block == 0 ? 1 : axis / how.block + (axis % how.block != 0);
  std::uint64_t rows = 0, scales = 1, zeros = 1;
  if (how.bits != 0) {
    const auto row_bits = base::CheckedMul(how.block, how.bits);
    const auto row_bytes = row_bits ? base::CheckedMul(blocks, *row_bits / 8) : std::nullopt;
    if (!row_bytes || *row_bytes == 0 || stored % *row_bytes != 0) scales = 0;
    rows = scales == 0 ? 0 : stored / *row_bytes;
    scales = base::CheckedMul(rows, blocks).value_or(0);
    const bool packed = how.zero && file_.tensors()[*how.zero].type == OnnxType::kUint8;
    zeros = packed ? base::CheckedMul(rows, blocks * how.bits / 8 + (blocks * how.bits % 8 != 0)).value_or(0) : scales;
    if (rows != weight.shape[0]) scales = 0;
  } else if (how.block != 0) {
    scales = zeros = base::CheckedMul(stored / axis, blocks).value_or(0);
  } else if (how.per_axis) {
    scales = zeros = axis;
  }
  if (scales == 0 || Elements(how.scale) != scales || (how.zero && Elements(*how.zero) != zeros)) {
    return Error(Code::kCorrupt, file_.path(), ": tensor \"", file_.tensors()[weight.tensor].name, "\": expected ",
                 scales, " scales, found ", Elements(how.scale));
  }
  return Status();
}

std::vector<std::string> OnnxData::external_files() const {
  std::vector<std::string> paths;
  for (const auto& [location, map] : maps_) paths.push_back(map.file().path());
  return paths;
}

double OnnxData::At(std::size_t index, std::uint64_t i) const {
  const Loaded& loaded = loaded_[index];
  const OnnxType type = file_.tensors()[index].type;
  using enum OnnxType;
  if (file_.tensors()[index].varints && !file_.tensors()[index].external) {
    const std::int64_t value = loaded.integers[i];
    if (type == kFloat16) return HalfValue(static_cast<std::uint16_t>(value));
    if (type == kBfloat16) return Bfloat16Value(static_cast<std::uint16_t>(value));
    if (type == kUint8) return static_cast<std::uint8_t>(value);
    if (type == kInt8) return static_cast<std::int8_t>(value);
    return static_cast<double>(value);
  }
  switch (type) {
    case kFloat:
      return convert::Load<float>(loaded.bytes, i);
    case kUint8:
      return convert::Load<std::uint8_t>(loaded.bytes, i);
    case kInt8:
      return convert::Load<std::int8_t>(loaded.bytes, i);
    case kUint16:
      return convert::Load<std::uint16_t>(loaded.bytes, i);
    case kInt16:
      return convert::Load<std::int16_t>(loaded.bytes, i);
    case kInt32:
      return convert::Load<std::int32_t>(loaded.bytes, i);
    case kInt64:
      return static_cast<double>(convert::Load<std::int64_t>(loaded.bytes, i));
    case kBool:
      return loaded.bytes[i] != std::byte{0};
    case kFloat16:
      return HalfValue(convert::Load<std::uint16_t>(loaded.bytes, i));
    case kDouble:
      return convert::Load<double>(loaded.bytes, i);
    case kUint32:
      return convert::Load<std::uint32_t>(loaded.bytes, i);
    case kUint64:
      return static_cast<double>(convert::Load<std::uint64_t>(loaded.bytes, i));
    case kBfloat16:
      return Bfloat16Value(convert::Load<std::uint16_t>(loaded.bytes, i));
    case kUint4:
      return static_cast<double>(Nibble(loaded.bytes, i));
    case kInt4:
      return static_cast<double>(Nibble(loaded.bytes, i) ^ 8) - 8;
  }
  return 0;
}

float OnnxData::Dequantized(const OnnxWeight& weight, std::uint64_t index) const {
  const OnnxQuantization& how = *weight.quantization;
  double integer = 0, zero = how.default_zero;
  std::uint64_t scale = 0;
  if (how.bits != 0) {
    // Each block begins at a byte, and so does each row of zeros.
    const std::uint64_t row = index / how.axis, column = index % how.axis;
    const std::uint64_t blocks = how.axis / how.block + (how.axis % how.block != 0), block = column / how.block;
    scale = row * blocks + block;
    auto packed = [&](std::size_t tensor, std::uint64_t begin, std::uint64_t i) {
      const auto byte = static_cast<unsigned>(At(tensor, begin + i * how.bits / 8));
      return static_cast<double>(byte >> (i * how.bits % 8) & ((1u << how.bits) - 1));
    };
    integer = packed(weight.tensor, scale * (how.block * how.bits / 8), column % how.block);
    if (how.zero && file_.tensors()[*how.zero].type == OnnxType::kUint8) {
      zero = packed(*how.zero, row * ((blocks * how.bits + 7) / 8), block);
    } else if (how.zero) {
      zero = At(*how.zero, scale);
    }
  } else {
    const std::uint64_t at = index / how.inner % how.axis;
    if (how.block != 0) {
      const std::uint64_t blocks = how.axis / how.block + (how.axis % how.block != 0);
      scale = (index / how.inner / how.axis * blocks + at / how.block) * how.inner + index % how.inner;
    } else if (how.per_axis) {
      scale = at;
    }
    integer = At(weight.tensor, index);
    if (how.zero) zero = At(*how.zero, scale);
  }
  return static_cast<float>(integer - zero) * static_cast<float>(At(how.scale, scale));
}

void OnnxData::Read(const OnnxWeight& weight, std::uint64_t first, std::span<float> out) const {
  const OnnxTensor& tensor = file_.tensors()[weight.tensor];
  const std::uint64_t columns = weight.shape.size() == 2 ? weight.shape[1] : 1;
  const bool dense = weight.strides.back() == 1 && (weight.shape.size() == 1 || weight.strides[0] == columns);
  if (dense && tensor.type == OnnxType::kFloat && !weight.quantization) {
    std::memcpy(out.data(), loaded_[weight.tensor].bytes.data() + (weight.offset + first) * sizeof(float),
                out.size_bytes());
    return;
  }
  for (std::size_t i = 0; i < out.size(); ++i) {
    const std::uint64_t at = first + i;
    const std::uint64_t index = weight.shape.size() == 2
                                    ? at / columns * weight.strides[0] + at % columns * weight.strides[1]
                                    : at * weight.strides[0];
    out[i] = weight.quantization ? Dequantized(weight, weight.offset + index)
                                 : static_cast<float>(At(weight.tensor, weight.offset + index));
  }
}

}  // namespace thimble::convert
