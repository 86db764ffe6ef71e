// The header of a safetensors file: 8 bytes of length (little-endian), that many bytes of JSON, then the data.
// Both the models that thimble converts and those it writes are such files.

#ifndef THIMBLE_FORMAT_SAFETENSORS_H_
#define THIMBLE_FORMAT_SAFETENSORS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/platform.h"
#include "thimble/status.h"

namespace thimble::format {

enum class ElementType : std::uint8_t { kF64, kF32, kF16, kBF16, kI64, kI32, kI16, kI8, kU64, kU32, kU16, kU8, kBool };

// "F32" and so on, as the header spells it.
std::string_view ElementName(ElementType type);
std::size_t ElementBytes(ElementType type);

// "[2, 3]", for messages.
std::string ShapeText(std::span<const std::uint64_t> shape);

struct TensorInfo {
  std::string name;
  ElementType type = ElementType::kF32;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0;  // Bytes from the start of the data.
  std::uint64_t end = 0;

  std::uint64_t bytes() const { return end - begin; }
};

struct Header {
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<TensorInfo> tensors;  // In the order of their data.
  std::uint64_t data_begin = 0;     // Bytes from the start of the file.
};

// The header's own bytes are copied out of the file before they are checked.
inline constexpr std::uint64_t kMaxHeaderBytes = 16 << 20;
inline constexpr std::size_t kMaxTensors = 16384;
inline constexpr std::size_t kMaxMetadata = 1024;
inline constexpr std::size_t kMaxRank = 8;

// Number of bytes of JSON, from the first 8 bytes of a file of `file_bytes`. kCorrupt when they cannot be true.
Result<std::uint64_t> HeaderBytes(std::span<const std::byte> first_bytes, std::uint64_t file_bytes,
                                  std::string_view path);

// Parses and checks the JSON of a header: well formed, no duplicate or unknown key, known types, shapes that match the
// offsets, tensors that tile the data exactly up to `file_bytes` with no hole and no overlap. kCorrupt otherwise, with
// `path` and the tensor in the message.
Result<Header> ParseHeader(std::string_view json, std::uint64_t file_bytes, std::string_view path);

}  // namespace thimble::format

#endif  // THIMBLE_FORMAT_SAFETENSORS_H_
