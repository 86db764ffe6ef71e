// IEEE 754 binary16 to and from float, without hardware.

#ifndef THIMBLE_KERNELS_HALF_H_
#define THIMBLE_KERNELS_HALF_H_

#include <bit>
#include <cmath>
#include <cstdint>

namespace thimble::kernels {

// Exact.
inline float HalfToFloat(std::uint16_t half) {
  std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  std::uint32_t exponent = (half >> 10) & 31;
  std::uint32_t fraction = half & 1023;
  if (exponent == 0) {  // Zero or subnormal: fraction * 2^-24.
    float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign ? -magnitude : magnitude;
  }
  if (exponent == 31) return std::bit_cast<float>(sign | 0x7f800000 | fraction << 13);
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

// Rounded to nearest, halves to even; overflow gives infinity.
inline std::uint16_t FloatToHalf(float value) {
  std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
  auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000);
  float magnitude = std::fabs(value);
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7e00);
  if (magnitude >= 65520.0f) return static_cast<std::uint16_t>(sign | 0x7c00);
  if (magnitude < 0x1p-14f) {  // Adding 1/2 leaves the multiple of 2^-24 in the low bits, rounded.
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(magnitude + 0.5f) - 0x3f000000));
  }
  std::uint32_t m = std::bit_cast<std::uint32_t>(magnitude);
  m += 0xfff + ((m >> 13) & 1);
  return static_cast<std::uint16_t>(sign | ((m >> 13) - (112 << 10)));
}

}  // namespace thimble::kernels

#endif  // THIMBLE_KERNELS_HALF_H_
