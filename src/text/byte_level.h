// How GPT-2 writes bytes as characters in its vocabulary.

#ifndef THIMBLE_TEXT_BYTE_LEVEL_H_
#define THIMBLE_TEXT_BYTE_LEVEL_H_

#include <cstdint>
#include <optional>

namespace thimble::text {

// Bytes that are printable in Latin-1 stand for themselves, the others for the characters from U+0100 on.
constexpr std::uint32_t CharacterOfByte(std::uint8_t byte) {
  if (byte <= 0x20) return 0x100u + byte;
  if (byte < 0x7F) return byte;
  if (byte <= 0xA0) return 0x121u + (byte - 0x7Fu);
  return byte == 0xAD ? 0x143u : byte;
}

// The byte that a character stands for; none where it stands for none.
constexpr std::optional<std::uint8_t> ByteOfCharacter(std::uint32_t character) {
  std::uint32_t byte = character;
  if (character >= 0x100) {
    if (character > 0x143) return std::nullopt;
    byte = character <= 0x120 ? character - 0x100 : character == 0x143 ? 0xAD : character - 0x121 + 0x7F;
  }
  if (CharacterOfByte(static_cast<std::uint8_t>(byte)) != character) return std::nullopt;
  return static_cast<std::uint8_t>(byte);
}

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_BYTE_LEVEL_H_
