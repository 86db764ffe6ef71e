// Reads a model file: a safetensors file whose tensors are 64-byte aligned and whose metadata configures the model.
// docs/format.md says what the tensors and the metadata are.

#ifndef THIMBLE_FORMAT_READER_H_
#define THIMBLE_FORMAT_READER_H_

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_map.h"
#include "format/safetensors.h"
#include "thimble/status.h"

namespace thimble::format {

inline constexpr std::string_view kVersionKey = "thimble.version";
inline constexpr std::string_view kVersion = "1";
// Of files with what a reader of version 1 would ignore, to wrong vectors: docs/format.md lists it.
inline constexpr std::string_view kVersion2 = "2";
// Data starts at, and every tensor is as long as, a multiple of one cache line.
inline constexpr std::uint64_t kAlignment = 64;

// A binary16 value as its bits, so that F16 tensors have a type of their own.
struct Half {
  std::uint16_t bits;
};

template <typename T>
inline constexpr ElementType kElementOf = T::kNoElement;
template <>
inline constexpr ElementType kElementOf<float> = ElementType::kF32;
template <>
inline constexpr ElementType kElementOf<Half> = ElementType::kF16;
template <>
inline constexpr ElementType kElementOf<std::int8_t> = ElementType::kI8;
template <>
inline constexpr ElementType kElementOf<std::uint8_t> = ElementType::kU8;
template <>
inline constexpr ElementType kElementOf<std::int32_t> = ElementType::kI32;
template <>
inline constexpr ElementType kElementOf<std::uint16_t> = ElementType::kU16;
template <>
inline constexpr ElementType kElementOf<std::uint32_t> = ElementType::kU32;
template <>
inline constexpr ElementType kElementOf<std::uint64_t> = ElementType::kU64;

// Owns the mapping or copy. Thread-safe. Views it hands out are valid while it lives (moving it keeps them valid).
class Reader {
 public:
  // Maps the file, or with `copy` reads it into private memory. kNotFound, kIo, kCorrupt, kOutOfMemory, or kUnsupported
  // for another version of the format.
  static Result<Reader> Open(const std::string& path, bool copy = false);
  // The same of an open file.
  static Result<Reader> Open(base::RegularFile file, bool copy = false);

  const std::string& path() const { return path_; }
  const Header& header() const { return header_; }
  std::size_t file_bytes() const { return map_.bytes().size(); }
  const base::FileMap& map() const { return map_; }
  const base::RegularFile& file() const { return map_.file(); }
  // Where in the file a view that this reader handed out begins.
  std::uint64_t Offset(const void* view) const {
    return static_cast<std::uint64_t>(static_cast<const std::byte*>(view) - map_.bytes().data());
  }

  std::optional<std::string_view> Metadata(std::string_view key) const;
  // kCorrupt when `key` is missing.
  Result<std::string_view> Text(std::string_view key) const;
  // kCorrupt when `key` is missing, not a decimal integer, or outside [low, high].
  Result<std::uint64_t> Integer(std::string_view key, std::uint64_t low, std::uint64_t high) const;
  // kCorrupt when `key` is missing or not a finite number.
  Result<double> Number(std::string_view key) const;
  // "true" or "false".
  Result<bool> Boolean(std::string_view key) const;

  // The errors of a value: kCorrupt where it had to be `expected`, kUnsupported where it is a `what` of a later build.
  Status Mismatch(std::string_view key, std::string_view expected) const;
  Status Unknown(std::string_view key, std::string_view what) const;

  bool Contains(std::string_view name) const { return Find(name) != nullptr; }

  // The data of the tensor `name`, checked to have this type and shape. kCorrupt when it is missing or differs.
  Result<std::span<const std::byte>> Bytes(std::string_view name, ElementType type,
                                           std::span<const std::uint64_t> shape) const {
    return Find(name, type, shape, true);
  }
  // The same of a type that is known.
  template <typename T>
  Result<std::span<const T>> Tensor(std::string_view name, std::initializer_list<std::uint64_t> shape) const {
    return Elements<T>(name, {shape.begin(), shape.size()}, true);
  }
  // The same for a tensor of one dimension whose length the caller checks.
  template <typename T>
  Result<std::span<const T>> Vector(std::string_view name) const {
    return Elements<T>(name, {}, false);
  }

 private:
  Reader(std::string path, base::FileMap map, Header header);
  const TensorInfo* Find(std::string_view name) const;
  Result<std::span<const std::byte>> Find(std::string_view name, ElementType type, std::span<const std::uint64_t> shape,
                                          bool check_shape) const;
  template <typename T>
  Result<std::span<const T>> Elements(std::string_view name, std::span<const std::uint64_t> shape,
                                      bool check_shape) const {
    Result<std::span<const std::byte>> bytes = Find(name, kElementOf<T>, shape, check_shape);
    if (!bytes.ok()) return bytes.status();
    return std::span<const T>(reinterpret_cast<const T*>(bytes->data()), bytes->size() / sizeof(T));
  }

  std::string path_;
  base::FileMap map_;
  Header header_;
  std::vector<const TensorInfo*> by_name_;  // Sorted.
};

}  // namespace thimble::format

#endif  // THIMBLE_FORMAT_READER_H_
