// Decoding and encoding of UTF-8.

#ifndef THIMBLE_TEXT_UTF8_H_
#define THIMBLE_TEXT_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace thimble::text {

inline constexpr std::uint32_t kReplacementCharacter = 0xFFFD;

// The code point at `next`, which must be before `end` and is moved behind it. As Python's errors="replace" does, an
// ill-formed sequence reads as one U+FFFD for the longest part of it that could have begun a character.
inline std::uint32_t DecodeUtf8(const std::uint8_t*& next, const std::uint8_t* end) {
  std::uint32_t lead = *next++;
  if (lead < 0x80) return lead;
  // The second byte has narrower limits after some leads, against overlong forms, surrogates and values too large.
  std::uint32_t low = 0x80;
  std::uint32_t high = 0xBF;
  int more;
  std::uint32_t code_point;
  if (lead >= 0xC2 && lead <= 0xDF) {
    more = 1;
    code_point = lead & 0x1F;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    more = 2;
    code_point = lead & 0x0F;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    more = 3;
    code_point = lead & 0x07;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return kReplacementCharacter;
  }
  for (; more > 0; --more) {
    if (next == end || *next < low || *next > high) return kReplacementCharacter;
    code_point = code_point << 6 | (*next++ & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return code_point;
}

// Bytes before the first ill-formed sequence; all where there is none.
inline std::size_t Utf8Prefix(std::string_view bytes) {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const std::uint8_t* end = begin + bytes.size();
  for (const std::uint8_t* next = begin; next != end;) {
    const std::uint8_t* character = next;
    if (DecodeUtf8(next, end) == kReplacementCharacter &&
        std::string_view(reinterpret_cast<const char*>(character), static_cast<std::size_t>(next - character)) !=
            "\xEF\xBF\xBD") {
      return static_cast<std::size_t>(character - begin);
    }
  }
  return bytes.size();
}

// Writes a code point of at most 0x10FFFF as 1 to 4 bytes and returns how many.
inline std::size_t EncodeUtf8(std::uint32_t code_point, std::uint8_t* out) {
  auto tail = [code_point](int shift) { return static_cast<std::uint8_t>(0x80 | (code_point >> shift & 0x3F)); };
  if (code_point < 0x80) {
    out[0] = static_cast<std::uint8_t>(code_point);
    return 1;
  }
  if (code_point < 0x800) {
    out[0] = static_cast<std::uint8_t>(0xC0 | code_point >> 6);
    out[1] = tail(0);
    return 2;
  }
  if (code_point < 0x10000) {
    out[0] = static_cast<std::uint8_t>(0xE0 | code_point >> 12);
    out[1] = tail(6);
    out[2] = tail(0);
    return 3;
  }
  out[0] = static_cast<std::uint8_t>(0xF0 | code_point >> 18);
  out[1] = tail(12);
  out[2] = tail(6);
  out[3] = tail(0);
  return 4;
}

}  // namespace thimble::text

#endif  // THIMBLE_TEXT_UTF8_H_
