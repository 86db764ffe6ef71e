// Escapes and digits.

#include "base/json_text.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace thimble::inline v0_1 {
namespace {

// The bytes at the start of `text` that are one UTF-8 character, or that begin one before a byte that cannot follow.
std::size_t CharacterBytes(std::string_view text, bool& valid) {
  const auto first = static_cast<unsigned char>(text[0]);
  valid = first < 0x80;
  if (first < 0xC2 || first > 0xF4) return 1;
  const std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  // Of the second byte: no overlong forms, no surrogates, and nothing above U+10FFFF.
  unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  for (std::size_t i = 1; i < length; ++i) {
    const auto byte = static_cast<unsigned char>(i < text.size() ? text[i] : 0);
    if (byte < low || byte > high) return i;
    low = 0x80;
    high = 0xBF;
  }
  valid = true;
  return length;
}

}  // namespace

void AppendJsonString(std::string_view text, std::string& out) {
  constexpr char kHex[] = "0123456789abcdef";
  constexpr std::string_view kEscaped = "\"\\\b\f\n\r\t", kLetters = "\"\\bfnrt";
  out += '"';
  while (!text.empty()) {
    const char c = text[0];
    std::size_t length = 1;
    if (const std::size_t escape = kEscaped.find(c); escape != std::string_view::npos) {
      out += '\\';
      out += kLetters[escape];
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += "\\u00";
      out += kHex[c >> 4];
      out += kHex[c & 15];
    } else {
      bool valid = false;
      length = CharacterBytes(text, valid);
      out += valid ? text.substr(0, length) : "\xEF\xBF\xBD";
    }
    text.remove_prefix(length);
  }
  out += '"';
}

void AppendJsonNumber(double value, std::string& out) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  // Not std::to_chars, whose tables for doubles are 100 KB.
  constexpr int kMostDigits = 17;
  char text[40];
  for (int digits = 1; digits <= kMostDigits; ++digits) {
    std::snprintf(text, sizeof text, "%.*e", digits - 1, value);
    if (std::strtod(text, nullptr) == value) break;
  }
  // [-]d.ddde+dd, where the point is the locale's.
  std::string digits;
  const char* next = text;
  for (; *next != 'e'; ++next) {
    if (*next >= '0' && *next <= '9') digits += *next;
  }
  const int before_point = std::atoi(next + 1) + 1;
  const int count = static_cast<int>(digits.size());
  if (std::signbit(value)) out += '-';
  if (before_point > 0 && before_point <= 15) {
    digits.append(static_cast<std::size_t>(std::max(before_point - count, 0)), '0');
    const auto whole = static_cast<std::size_t>(before_point);
    out += digits.substr(0, whole) + "." + (count > before_point ? digits.substr(whole) : "0");
  } else if (before_point > -4 && before_point <= 0) {
    out += "0." + std::string(static_cast<std::size_t>(-before_point), '0') + digits;
  } else {
    out += digits.substr(0, 1);
    if (count > 1) out += "." + digits.substr(1);
    out += next;
  }
}

}  // namespace thimble::inline v0_1
