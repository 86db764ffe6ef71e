// What readers of hostile files share: bytes in order through a small buffer, numbers, and names for messages.

#ifndef THIMBLE_CONVERT_FILE_READER_H_
#define THIMBLE_CONVERT_FILE_READER_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/regular_file.h"
#include "kernels/half.h"
#include "thimble/status.h"

namespace thimble::convert {

// The bytes [begin, end) of a file, which must be in it. The file must outlive it. Thread-compatible.
class FileReader {
 public:
  FileReader(const base::RegularFile& file, std::uint64_t begin, std::uint64_t end)
      : file_(file), offset_(begin), end_(end) {}

  const std::string& path() const { return file_.path(); }
  // Of the next byte, from the start of the file.
  std::uint64_t offset() const { return offset_; }
  std::uint64_t left() const { return end_ - offset_; }

  // The next out.size() bytes. kCorrupt when fewer are left, and kIo; then the position is unspecified.
  Status Read(std::span<std::byte> out) {
    if (out.size() > left()) {
      return Error(Code::kCorrupt, path(), ": needs ", out.size(), " bytes at byte ", offset_, ", found ", left());
    }
    while (!out.empty()) {
      if (used_ == buffer_.size()) THIMBLE_RETURN_IF_ERROR(Fill());
      const std::size_t count = std::min(out.size(), buffer_.size() - used_);
      std::memcpy(out.data(), buffer_.data() + used_, count);
      used_ += count;
      offset_ += count;
      out = out.subspan(count);
    }
    return Status();
  }

 private:
  static constexpr std::uint64_t kBufferBytes = 16 << 10;

  Status Fill() {
    buffer_.resize(std::min(left(), kBufferBytes));
    used_ = 0;
    return file_.ReadAt(offset_, buffer_);
  }

  const base::RegularFile& file_;
  std::uint64_t offset_;
  const std::uint64_t end_;
  std::vector<std::byte> buffer_;
  std::size_t used_ = 0;
};

// An unsigned integer in little-endian order, of at most 8 bytes.
inline std::uint64_t LittleEndian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

// Floats of 16 bits each: fp16 where `half`, else bfloat16.
inline void Widen(const std::byte* bytes, bool half, std::span<float> out) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::uint16_t bits;
    std::memcpy(&bits, bytes + 2 * i, 2);
    out[i] = half ? kernels::HalfToFloat(bits) : std::bit_cast<float>(std::uint32_t{bits} << 16);
  }
}

inline bool IsPrintable(char c) { return c >= ' ' && c <= '~'; }

// `name` with "?" for each byte that is not printable ASCII, cut after 100 bytes.
inline std::string Printable(std::string_view name) {
  constexpr std::size_t kMaxBytes = 100;
  std::string text(name.substr(0, kMaxBytes));
  std::replace_if(text.begin(), text.end(), [](char c) { return !IsPrintable(c); }, '?');
  if (name.size() > kMaxBytes) text += "...";
  return text;
}

// A name that is there twice, where one is.
inline std::optional<std::string_view> FindTwice(std::vector<std::string_view> names) {
  std::sort(names.begin(), names.end());
  const auto twice = std::adjacent_find(names.begin(), names.end());
  return twice == names.end() ? std::nullopt : std::optional(*twice);
}

}  // namespace thimble::convert

#endif  // THIMBLE_CONVERT_FILE_READER_H_
