// SHA-256 (FIPS 180-4), in pieces.
//
//   Sha256 hash;
//   hash.Update(first);
//   hash.Update(second);
//   std::string text = hash.Hex();

#ifndef THIMBLE_BASE_SHA256_H_
#define THIMBLE_BASE_SHA256_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/regular_file.h"
#include "thimble/status.h"

namespace thimble::base {

// Thread-compatible.
class Sha256 {
 public:
  static constexpr std::size_t kHexDigits = 64;

  void Update(std::span<const std::byte> bytes);
  void Update(std::string_view text) { Update(std::as_bytes(std::span(text))); }
  // Bytes [begin, end) of a file. kIo when it has become shorter.
  Status Update(const RegularFile& file, std::uint64_t begin, std::uint64_t end);
  // The hash of everything so far, and as 64 lower-case hexadecimal digits. Each ends it: Update may not follow.
  std::array<std::byte, 32> Digest();
  std::string Hex();

 private:
  void Block(const std::byte* block);

  std::array<std::uint32_t, 8> state_ = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                         0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::byte, 64> pending_ = {};  // What does not fill a block yet: size_ % 64 bytes.
  std::uint64_t size_ = 0;                  // Bytes so far.
};

// Of bytes [begin, end) of a file.
Result<std::string> Sha256OfFile(const RegularFile& file, std::uint64_t begin, std::uint64_t end);

}  // namespace thimble::base

#endif  // THIMBLE_BASE_SHA256_H_
