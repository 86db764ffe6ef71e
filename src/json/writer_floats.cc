// Digits of floats, apart from the rest: std::to_chars for floats has tables of 100 KB, which not every program needs.

#include <charconv>

#include "json/writer.h"

namespace thimble::json {

// nlohmann::json holds doubles, whose digits are twice as many.
Writer& Writer::Floats(std::span<const float> values) {
  Open('[');
  for (const float value : values) {
    char digits[32];
    out_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr).append(1, ',');
  }
  if (!values.empty()) out_.pop_back();
  return Close(']');
}

Writer& Writer::Float(float value) {
  Separate();
  char digits[32];
  out_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  return *this;
}

}  // namespace thimble::json
